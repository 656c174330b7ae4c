"""An embedded Data Flow on 127.0.0.1, for trying out, rehearsing and testing: no account, no network.

Written from the documentation and sharing nothing with the client but the node types, it refuses what the
documentation refuses. Runs of jobs (executions) are not offered: such URLs are unknown to it.
"""

from bulkjobs.sandbox.datafile import DataFileError
from bulkjobs.sandbox.jobs import Job
from bulkjobs.sandbox.options import SandboxOptions
from bulkjobs.sandbox.server import Sandbox
from bulkjobs.sandbox.traffic import Traffic

__all__ = ["DataFileError", "Job", "Sandbox", "SandboxOptions", "Traffic"]
