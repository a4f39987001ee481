"""A few processes that talk through gloo, started once: each task runs on every one of them."""

import tempfile
import traceback
from collections.abc import Callable, Mapping
from multiprocessing import get_context
from pathlib import Path
from typing import Any

SECONDS = 120  # a rank that waits for another that will not come


class Processes:
    """P processes of one group; `run(task, ...)` gives what each of them returned, or raised, by rank."""

    def __init__(self, count: int) -> None:
        context = get_context("forkserver")  # torch is imported once, by the server
        context.set_forkserver_preload(["lossmith.torch", "tasks"])
        self.folder = tempfile.TemporaryDirectory()
        meeting = str(Path(self.folder.name) / "meeting")
        ends = [context.Pipe() for _ in range(count)]
        self.pipes = [here for here, _ in ends]
        self.members = [
            context.Process(target=_serve, args=(there, meeting, rank, count), daemon=True)
            for rank, (_, there) in enumerate(ends)
        ]
        for member in self.members:
            member.start()

    def run(self, task: Callable[..., Any], *arguments: Any, **more: Any) -> list[Any]:
        for pipe in self.pipes:
            pipe.send((task, arguments, more))
        return [pipe.recv() if pipe.poll(SECONDS) else TimeoutError(f"rank {n}") for n, pipe in enumerate(self.pipes)]

    def close(self) -> None:
        for pipe, member in zip(self.pipes, self.members, strict=True):
            pipe.send(None)
            member.join(5)
            member.kill()
        self.folder.cleanup()


def _serve(pipe: Any, meeting: str, rank: int, count: int) -> None:
    import torch
    import torch.distributed as dist

    torch.set_num_threads(1)
    dist.init_process_group("gloo", init_method=f"file://{meeting}", rank=rank, world_size=count)
    groups: Mapping[int, Any] = {size: dist.new_group(range(size)) for size in range(1, count + 1)}
    while (asked := pipe.recv()) is not None:
        task, arguments, more = asked
        try:
            pipe.send(task(groups, *arguments, **more))
        except Exception as error:
            error.add_note(traceback.format_exc())
            pipe.send(error)
    dist.destroy_process_group()
