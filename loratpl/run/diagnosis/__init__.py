"""Why a training failed: from what the trainer wrote and what the machine knows, to one cause and one fix."""

from loratpl.run.diagnosis.diagnose import diagnose
from loratpl.run.diagnosis.evidence import Diagnosis, Evidence
from loratpl.run.diagnosis.log import cause_from_log, real_error
from loratpl.run.diagnosis.machine import MachineFacts, MachineWatch

__all__ = ["Diagnosis", "Evidence", "MachineFacts", "MachineWatch", "cause_from_log", "diagnose", "real_error"]
