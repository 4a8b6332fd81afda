"""Kernels as a worker sees them: cold from Jupyter or warm from a nursery, and ready without idle waiting.

A warm kernel differs from a cold one in how its process comes to be, and in nothing after that.
"""

from __future__ import annotations

import asyncio
import json
import os
import queue
import select
import signal
import socket
import time
import uuid
from contextlib import suppress
from typing import Any

from jupyter_client.asynchronous import AsyncKernelClient
from jupyter_client.provisioning.local_provisioner import LocalProvisioner

from ibkit.book.processes import kill_group

#: Seconds that a nursery may take for all its imports before kernels are started cold.
_PATIENCE = 120.0


class WarmProcess:
    """A kernel that a nursery forked, with as much of `subprocess.Popen` as is needed.

    Args:
        address: the nursery's socket.
        arguments: what `ipykernel_launcher` would be given.
        cwd: the kernel's working folder.
        env: its whole environment.

    Raises:
        OSError: the nursery is gone, or could not fork.
    """

    stdin = stdout = stderr = None

    def __init__(self, address: str, arguments: list[str], cwd: str, env: dict[str, str]) -> None:
        self.returncode: int | None = None
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            self._socket.settimeout(_PATIENCE)
            self._socket.connect(address)
            self._answers = self._socket.makefile("r", encoding="utf-8")
            request = {"arguments": arguments, "cwd": cwd, "env": env}
            self._socket.sendall(json.dumps(request).encode() + b"\n")
            answer = self._answers.readline()
            if not answer:
                raise ConnectionError("the nursery gave no kernel")
            self.pid: int = json.loads(answer)["pid"]
        except BaseException:
            self._socket.close()
            raise

    def poll(self) -> int | None:
        """Return the exit code, None while the kernel runs."""
        if self.returncode is None and select.select([self._socket], [], [], 0)[0]:
            self._hear_the_end()
        return self.returncode

    def wait(self, timeout: float | None = None) -> int:
        """Wait for the end; return the exit code, negative when a signal ended it."""
        if self.returncode is None:
            if not select.select([self._socket], [], [], timeout)[0]:
                raise TimeoutError(f"kernel {self.pid} has not ended within {timeout} s")
            self._hear_the_end()
        return self.returncode  # type: ignore[return-value]

    def send_signal(self, signum: int) -> None:
        """Send a signal to the kernel if it still runs."""
        if self.poll() is None:
            os.kill(self.pid, signum)

    def kill(self) -> None:
        """End the kernel at once."""
        self.send_signal(signal.SIGKILL)

    def terminate(self) -> None:
        """Ask the kernel to end."""
        self.send_signal(signal.SIGTERM)

    def _hear_the_end(self) -> None:
        answer = ""
        with suppress(OSError):
            answer = self._answers.readline()
        if answer:
            self.returncode = json.loads(answer)["code"]
        else:
            # Its keeper was killed; the kernel dies with it, and what it started must too.
            kill_group(self.pid)
            self.returncode = -signal.SIGKILL
        self._answers.close()
        self._socket.close()


class Provisioner(LocalProvisioner):
    """Start a kernel's process, warm where that is possible.

    Args:
        nursery: the socket of a nursery; None for cold kernels.
    """

    nursery: str | None = None

    async def launch_kernel(self, cmd: list[str], **kwargs: Any) -> Any:
        """Start the kernel; cold if there is no nursery, or it does not serve."""
        if not self._launch_warm(cmd, **kwargs):
            await super().launch_kernel(cmd, **kwargs)
        await self._sockets_bound()
        return self.connection_info

    def _launch_warm(self, cmd: list[str], cwd: Any, env: dict[str, str], **_: Any) -> bool:
        if self.nursery is None:
            return False
        try:
            self.process = WarmProcess(self.nursery, cmd[cmd.index("-f") :], str(cwd), env)
        except OSError:
            return False
        self.pid = self.pgid = self.process.pid
        self.cwd = cwd
        return True

    async def _sockets_bound(self) -> None:
        """Wait until the kernel listens: who connects earlier tries again only after a tenth of a second."""
        if self.connection_info["transport"] != "ipc":
            return
        last = f"{self.connection_info['ip']}-{self.connection_info['hb_port']}"
        while not os.path.exists(last) and await self.poll() is None:
            await asyncio.sleep(0.002)

    async def wait(self) -> int | None:
        """Wait for the process, which was told to end; looks more often than the original does."""
        while await self.poll() is None:
            await asyncio.sleep(0.002)
        return await super().wait()


def provisioner_for(manager: Any, nursery: str | None) -> Provisioner:
    """Return the provisioner for a kernel manager that has not started its kernel yet."""
    manager.kernel_id = manager.kernel_id or str(uuid.uuid4())
    made = Provisioner(kernel_id=manager.kernel_id, kernel_spec=manager.kernel_spec, parent=manager)
    made.nursery = nursery
    return made


class ReadyClient(AsyncKernelClient):
    """A client that is ready as soon as its kernel is; the original waits a fifth of a second more for silence.

    Messages from before the first cell that still come then belong to no cell, and are passed over as such.
    """

    async def wait_for_ready(self, timeout: float | None = None) -> None:
        """Wait until the kernel answers on its shell, and what it publishes arrives.

        Args:
            timeout: seconds; None for no limit.

        Raises:
            RuntimeError: the kernel died, or did not answer in time.
        """
        end = time.monotonic() + (timeout or float("inf"))
        while True:
            self.kernel_info()
            with suppress(queue.Empty):
                message = await self.shell_channel.get_msg(timeout=1)
                if message["msg_type"] == "kernel_info_reply":
                    await self.iopub_channel.get_msg(timeout=0.2)
                    self._handle_kernel_info_reply(message)
                    return
            if not await self._async_is_alive():
                raise RuntimeError("the kernel died before it was ready")
            if time.monotonic() > end:
                raise RuntimeError(f"the kernel was not ready within {timeout:g} s")
