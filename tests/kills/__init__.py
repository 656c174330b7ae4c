"""The real program, as a process: killed at every system call, on disks that fail, with clocks that lie."""
