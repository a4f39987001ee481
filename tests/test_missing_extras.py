"""A face without its framework: the name exists, and says what to install."""

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
        import lossmith.{face}
    except ImportError as error:
        print(type(error).__name__)
        print(error)
"""


def message_without(framework: str, face: str) -> str:
    program = textwrap.dedent(BLOCKED.format(framework=framework, face=face))
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    return done.stdout


@pytest.mark.parametrize("framework", ["torch", "keras"])
def test_a_face_without_its_framework_says_what_to_install(framework):
    assert message_without(framework, framework) == (
        f"MissingExtraError\nlossmith.{framework} needs {framework}\n  fix     pip install 'lossmith[{framework}]'\n"
    )


def test_only_the_absence_of_the_framework_itself_is_told_so():
    assert "MissingExtraError" not in message_without("numpy", "torch")
