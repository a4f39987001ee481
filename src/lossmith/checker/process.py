"""The parent's side: losses handed to worker processes one by one, a new worker after one that died."""

import threading
from collections.abc import Callable, Sequence
from concurrent.futures import FIRST_EXCEPTION, Future, ThreadPoolExecutor, wait
from importlib.util import find_spec
from typing import Any

from lossmith.checker.fence import Kept
from lossmith.checker.finding import LossReport
from lossmith.checker.place import Place
from lossmith.checker.watched import one_worker
from lossmith.checker.work import GIB, Hearing, Options, Work
from lossmith.errors import TargetError, message, missing_extra

__all__ = ["GIB", "Hearing", "Options", "check_target", "check_targets", "draw_target", "study_target"]

WORTH_A_WORKER = 4  # losses: importing a framework takes as long as checking a few of them


def check_target(
    target: str,
    options: Options,
    on_report: Callable[[LossReport], None] | None = None,
    on_left_out: Callable[[list[str]], None] | None = None,
    workers: int = 1,
) -> list[LossReport]:
    """Examine every loss of a target in child processes. Raises `TargetError` if the target cannot be loaded.

    `on_report` hears each report as it comes; `on_left_out` the names in a file that were not taken for losses.
    """
    hearing = Hearing(report=on_report or (lambda report: None), left_out=on_left_out or (lambda names: None))
    return check_targets([target], options, hearing, workers)


def check_targets(targets: Sequence[str], options: Options, hearing: Hearing, workers: int = 1) -> list[LossReport]:
    """Examine every loss of some targets, `workers` at a time. The reports are in the order of the targets."""
    works = _served(targets, options, hearing, workers)
    return [work.reports[name] for work in works for name in work.names]


def study_target(target: str, options: Options) -> list[dict[str, Any]]:
    """What is shown of every loss of a target, studied in child processes: `lossmith.checker.study.Shown` as data, or
    `lossmith.checker.original.Original`.

    Errors    TargetError if the target cannot be loaded
    """
    (work,) = _served([target], options, Hearing())
    return [work.reports[name] for name in work.names]


def draw_target(target: str, options: Options) -> dict[str, Any]:
    """What `options.drawing` asks for, of the one loss that the target names, computed in a child process.

    Errors    TargetError for a target that cannot be loaded, has no loss, or does not survive being drawn
    """
    if not Place.parse(target).name:
        raise TargetError(message(f"{target}: one loss is drawn at a time", fix=f"name one: {target}:MyLoss"))
    (work,) = _served([target], options, Hearing())
    (report,) = work.reports.values()
    if report.problem:
        raise TargetError(report.problem)
    if work.drawn is None:
        stopped = ", ".join(finding.message for finding in report.findings)
        raise TargetError(message(f"{target} could not be drawn", {"process": stopped or "ended"}))
    return work.drawn


def _served(targets: Sequence[str], options: Options, hearing: Hearing, workers: int = 1) -> list[Work]:
    for target in targets:
        Place.parse(target)  # a path that is not there needs no process to be told
    if find_spec("torch") is None:
        raise missing_extra(f"lossmith {'show' if options.work != 'check' else 'check'}", "torch", "torch")
    works = [Work(target, options, hearing) for target in targets]
    slots = threading.Semaphore(max(workers, 1))
    with ThreadPoolExecutor(max_workers=max(2, len(works) * max(workers, 1))) as pool:
        try:
            _wait([pool.submit(_serve_target, work, slots, pool, workers) for work in works])
        except BaseException:  # a target that cannot be loaded, or Ctrl-C: the other workers end too
            for work in works:
                work.stopped.set()
            raise
    return works


def _wait(futures: Sequence["Future[None]"]) -> None:
    done, _ = wait(futures, return_when=FIRST_EXCEPTION)
    for future in done:
        future.result()


def _serve_target(work: Work, slots: threading.Semaphore, pool: ThreadPoolExecutor, workers: int) -> None:
    first = pool.submit(_serve, work, slots)
    while not work.named.wait(0.05) and not first.done():
        pass
    more = min(workers - 1, len(work.names) // WORTH_A_WORKER)
    _wait([first, *(pool.submit(_serve, work, slots) for _ in range(more))])
    if work.doubts and not work.stopped.is_set():
        _ask_again(work, slots)


def _ask_again(work: Work, slots: threading.Semaphore) -> None:
    second, problem = work.again(), "it was stopped"
    try:
        _serve(second, slots)
    except TargetError as error:  # it could be loaded a moment ago: it is another file by now
        problem = str(error)
    work.settle(second, problem)


def _serve(work: Work, slots: threading.Semaphore) -> None:
    """Run workers, one after the other, until no loss waits; the user's file is put right after each."""
    kept = Kept.of(Place.parse(work.target).source)
    while not work.stopped.is_set():
        with slots:
            if work.named.is_set() and not work.waiting:
                return
            try:
                watched, ended = one_worker(work)
            finally:
                if kept is not None:
                    kept.restore()
        if work.stopped.is_set():
            return
        if watched.problem:
            raise TargetError(watched.problem)
        if not watched.loaded:
            raise TargetError(message(f"{work.target} could not be loaded", {"process": ended}))
        if watched.current:
            work.take_lost(watched, ended)
