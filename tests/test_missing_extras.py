"""A name whose extra is not installed exists, and says what to install."""

import subprocess
import sys
import textwrap

import pytest

BLOCKED = """
    import sys

    class Absent:
        def find_spec(self, name, path=None, target=None):
            if name.partition(".")[0] == {framework!r}:
                raise ModuleNotFoundError("No module named " + repr(name), name=name)

    sys.meta_path.insert(0, Absent())
    try:
        {code}
    except ImportError as error:
        print(type(error).__name__)
        print(error)
"""


def message_without(framework: str, code: str) -> str:
    program = textwrap.dedent(BLOCKED.format(framework=framework, code=code))
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    return done.stdout


@pytest.mark.parametrize("framework", ["torch", "keras"])
def test_a_face_without_its_framework_says_what_to_install(framework):
    assert message_without(framework, f"import lossmith.{framework}") == (
        f"MissingExtraError\nlossmith.{framework} needs {framework}\n  fix     pip install 'lossmith[{framework}]'\n"
    )


def test_only_the_absence_of_the_framework_itself_is_told_so():
    assert "MissingExtraError" not in message_without("numpy", "import lossmith.torch")


@pytest.mark.parametrize(("name", "module"), [("facts", "flint"), ("derive", "sympy")])
def test_what_is_proved_or_derived_without_its_libraries_says_what_to_install(name, module):
    assert message_without(module, f"import lossmith; lossmith.{name}('huber')") == (
        f"MissingExtraError\nlossmith.{name} needs {module}\n  fix     pip install 'lossmith[prove]'\n"
    )
