# What snakemake says with --quiet rules: one line a finished stage; errors and warnings whole.
import logging

from snakemake.logging import logger
from snakemake.settings.enums import Quietness
from snakemake_interface_logger_plugins.common import LogEvent


class StageLines(logging.StreamHandler):
    """A line for each finished stage: how many of how many, and which."""

    def __init__(self, formatter):
        super().__init__()
        self.setFormatter(formatter)
        self._names = {}
        self._finished = ""

    def emit(self, record):
        event = getattr(record, "event", None)
        if event == LogEvent.JOB_INFO:
            # A rule of one task has the task's name in its own.
            stage = record.rule_name.replace("_", " ", 1)
            wildcards = filter(None, dict(record.wildcards).values())
            self._names[record.jobid] = " ".join([stage, *wildcards])
        elif event == LogEvent.JOB_FINISHED:
            self._finished = self._names.pop(record.job_id, "")
        elif event == LogEvent.PROGRESS:
            done = f"{record.done:{len(str(record.total))}}"
            self._say(f"[{done} of {record.total} stages] {self._finished}")
        elif event == LogEvent.JOB_ERROR:
            stage = self._names.get(record.jobid, record.rule_name)
            self._say(f"[failed] {stage}; what it said is above and in {', '.join(record.log)}")
        # The command of a failed job with its whole configuration: pages, without what went wrong.
        elif record.levelno >= logging.WARNING and "CalledProcessError" not in record.getMessage():
            super().emit(record)

    def _say(self, line):
        print(line, file=self.stream, flush=True)


# Snakemake's own --quiet rules hides the errors of rules, too, and the names of their logs.
_quiet = workflow.output_settings.quiet or set()
if Quietness.RULES in _quiet and not {Quietness.PROGRESS, Quietness.ALL} & set(_quiet):
    for _handler in list(logger.handlers):
        if _handler.name == "DefaultStreamHandler" and not workflow.output_settings.dryrun:
            logger.removeHandler(_handler)
            logger.addHandler(StageLines(_handler.formatter))
