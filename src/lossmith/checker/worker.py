"""The child process: loads one target, examines its losses one by one, and writes what it finds to a pipe.

Nothing that a stranger's code does here reaches the parent but lines of JSON: its output is thrown away, and its
crash, its endless loop or its `sys.exit` ends this process alone. It is a fork of `forkserver`, or where there is none
`python -m lossmith.checker.worker EVENTS`: orders come on standard input, EVENTS is the number of the pipe.
"""

import faulthandler
import json
import os
import sys
import traceback
from dataclasses import asdict
from pathlib import Path
from typing import IO, Any

from lossmith.checker.family import keep
from lossmith.checker.fence import fence, writable_places
from lossmith.checker.limits import CALL_SECONDS


def main(events: int) -> None:
    orders = os.fdopen(os.dup(0), "r", encoding="utf-8")
    job: dict[str, Any] = json.loads(orders.readline())
    ended = keep()
    if ended is not None:
        os._exit(ended)
    pipe = os.fdopen(events, "w", encoding="utf-8")
    _be_quiet()
    os.register_at_fork(after_in_child=_end_at_once)
    faulthandler.enable(open(job["crash_file"], "w", encoding="utf-8"))  # noqa: SIM115  (lives as long as the process)
    _set_frameworks(job["target"])
    fence(writable_places(job["folder"]))
    _work(job, pipe, orders)
    pipe.flush()
    os._exit(0)  # a stranger's threads and exit handlers are not waited for


def _be_quiet() -> None:
    """Standard streams of this process lead nowhere: a loss may print megabytes, or ask a question."""
    nowhere = os.open(os.devnull, os.O_RDWR)
    for stream in (0, 1, 2):
        os.dup2(nowhere, stream)


def _end_at_once() -> None:
    """A loss has no business forking; a copy of this process would write to the same pipe."""
    os._exit(0)


def _set_frameworks(target: str) -> None:
    """What a framework reads when it is imported. Keras computes with torch, unless the user's environment or the file
    itself speaks for another."""
    from lossmith.checker.load import imports_of
    from lossmith.checker.place import Place

    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    # LLVM's passes take a quarter of a check, on operations that are used once; XLA's own, over the graph, still run.
    os.environ.setdefault("JAX_DISABLE_MOST_OPTIMIZATIONS", "1")
    place = Place.parse(target)
    used = imports_of(place.source) if place.is_file else {place.source.partition(".")[0]}
    chosen = (
        "tensorflow" if "tensorflow" in used else "jax" if used & {"jax", "optax"} and "torch" not in used else "torch"
    )
    os.environ.setdefault("KERAS_BACKEND", chosen)


def _work(job: dict[str, Any], pipe: IO[str], orders: IO[str]) -> None:
    from lossmith.errors import LossmithError

    def say(**event: Any) -> None:
        pipe.write(json.dumps(event) + "\n")
        pipe.flush()

    try:
        _examine_all(job, say, orders)
    except LossmithError as error:
        say(event="problem", text=str(error))


def _examine_all(job: dict[str, Any], say: Any, orders: IO[str]) -> None:
    import torch

    from lossmith.checker.build import check_settings, settings_for
    from lossmith.checker.discover import find, left_out
    from lossmith.checker.limits import CALLS, limit_calls, limit_memory, mark_calls
    from lossmith.checker.load import load
    from lossmith.checker.marks import changed, marks
    from lossmith.checker.place import Place
    from lossmith.checker.rules import all_rules

    torch.set_num_threads(1)
    place = Place.parse(job["target"])
    module = load(place)
    found = find(place, module)
    check_settings(place, found, job["settings"])
    say(event="names", names=list(found), left_out=left_out(place, module, found))
    limit_calls(job.get("call_seconds", CALL_SECONDS))
    limit_memory(job["memory"])
    if job["work"] in ("check", "again"):
        all_rules()  # all of them now: a loss may take the path of imports away
    before = marks()
    while name := orders.readline().rstrip("\n"):
        value = found[name]
        mark_calls(Path(job["folder"]) / CALLS)
        say(event="begin", name=name, location=_location(value, place))
        settings = job["settings"] if len(found) == 1 else settings_for(value, job["settings"])
        work = {"check": _examine, "again": _again}.get(job["work"], _study)
        report = work({**job, "settings": settings}, place, module, name, value, say)
        left = changed(before, marks())
        if left and "notes" in report:
            report["notes"] = [*report["notes"], f"it leaves changed for the whole process: {', '.join(left[:4])}"]
        say(event="done", report=report, left=left[:20])


def _location(value: Any, place: Any) -> str:
    from lossmith.checker.build import locate

    return locate(value, place)[0]


def _examine(job: dict[str, Any], place: Any, module: Any, name: str, value: Any, say: Any) -> dict[str, Any]:
    from lossmith.checker.beside import allowed_beside
    from lossmith.checker.drawn import drawn
    from lossmith.checker.excuses import Excuses
    from lossmith.checker.finding import LossReport
    from lossmith.checker.limits import OverMemory, OverTime
    from lossmith.checker.project import said_of
    from lossmith.checker.runner import examine
    from lossmith.checker.selection import Selection
    from lossmith.checker.stopped import stopped_report
    from lossmith.errors import LossmithError

    location = _location(value, place)
    try:
        subject, declared = _subject(job, place, module, name, value)
        if job["drawing"] is not None:
            say(event="drawn", drawn=drawn(subject, declared, job["drawing"]))
            return asdict(LossReport(name, location))
        said = said_of(place, name)
        selection = Selection(tuple(job["select"]) or said.select, (*job["ignore"], *said.ignore))
        excuses = Excuses({**said.allow, **job["allow"]}, {**said.expected, **job["expected"]}, job["strict"])
        report = examine(
            subject,
            declared,
            selection,
            on_rule=lambda code: say(event="rule", code=code),
            pictures=job["pictures"],
            excuses=excuses.and_allowed(allowed_beside(value)),
            deep=job["deep"],
        )
    except LossmithError as error:
        report = LossReport(name, location, problem=str(error))
    except OverTime:
        report = stopped_report(name, location, "LS613", f"one call did not return within {CALL_SECONDS:g} s")
    except OverMemory as error:
        report = stopped_report(name, location, "LS615", str(error))
    except Exception as error:  # a fault of lossmith must not be told as one of the loss
        report = LossReport(name, location, problem=_own_fault(error))
    except SystemExit as error:
        report = stopped_report(name, location, "LS614", f"it ends the process: SystemExit({error.code!r})")
    return asdict(report)


def _again(job: dict[str, Any], place: Any, module: Any, name: str, value: Any, say: Any) -> dict[str, Any]:
    """The codes that are found once more, of those that were found in another process."""
    from lossmith.checker.limits import OverMemory, OverTime
    from lossmith.checker.runner import came_again
    from lossmith.errors import LossmithError

    try:
        subject, declared = _subject(job, place, module, name, value)
        codes = tuple(job["again"][name])
        found = came_again(
            subject, declared, codes, on_rule=lambda code: say(event="rule", code=code), deep=job["deep"]
        )
        return {"name": name, "again": found}
    except OverTime:
        return {"name": name, "problem": f"one call did not return within {CALL_SECONDS:g} s"}
    except (LossmithError, OverMemory) as error:
        return {"name": name, "problem": str(error)}
    except SystemExit as error:
        return {"name": name, "problem": f"it ends the process: SystemExit({error.code!r})"}
    except Exception as error:
        return {"name": name, "problem": _own_fault(error)}


def _subject(job: dict[str, Any], place: Any, module: Any, name: str, value: Any) -> tuple[Any, Any]:
    """The loss as the rules see it, and what was declared of it."""
    from lossmith.checker.build import example_of, make
    from lossmith.checker.project import said_of
    from lossmith.checker.resolve import Declared

    subject, said = make(place, module, name, value, job["settings"]), said_of(place, name)
    subject.seed, subject.reference = job["seed"], job["reference"]
    subject.range = job["range"] if job["range"] is not None else said.range
    return subject, Declared(job["flags"], example_of(module, name), said.contract)


def _study(job: dict[str, Any], place: Any, module: Any, name: str, value: Any, say: Any) -> dict[str, Any]:
    from lossmith.checker.build import example_of, make
    from lossmith.checker.limits import OverMemory, OverTime
    from lossmith.checker.project import said_of
    from lossmith.checker.resolve import Declared
    from lossmith.errors import LossmithError, missing_extra

    unknown = {"name": name, "location": _location(value, place)}
    try:
        from lossmith.checker.original import original
        from lossmith.checker.study import study
    except ModuleNotFoundError as error:
        return {**unknown, "problem": str(missing_extra("a trace", str(error.name), "prove"))}
    try:
        subject = make(place, module, name, value, job["settings"])
        declared = Declared(job["flags"], example_of(module, name), said_of(place, name).contract)
        if job["work"] == "original":
            return original(subject, declared)
        return study(subject, declared, job["work"])
    except LossmithError as error:
        return {**unknown, "problem": str(error)}
    except OverTime:
        return {**unknown, "problem": f"one call did not return within {CALL_SECONDS:g} s"}
    except OverMemory as error:
        return {**unknown, "problem": str(error)}
    except SystemExit as error:
        return {**unknown, "problem": f"it ends the process: SystemExit({error.code!r})"}
    except Exception as error:
        return {**unknown, "problem": _own_fault(error)}


def _own_fault(error: Exception) -> str:
    from lossmith.errors import message

    frame = traceback.extract_tb(error.__traceback__)[-1]
    given = {"error": f"{type(error).__name__}: {error}", "at": f"{os.path.basename(frame.filename)}:{frame.lineno}"}
    return message("lossmith itself failed on this loss", given, fix="please report it with the loss")


if __name__ == "__main__":
    main(int(sys.argv[1]))
