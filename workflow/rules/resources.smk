# What a job asks of a batch system; on one machine none of it counts. How often a job is tried is in
# the profile, never in a rule: under the SLURM executor `retries` of a rule multiply.
from math import ceil

#: Most memory (MB) that a job of a rule was seen to use on a machine with 2 cores and no GPU: max_rss
#: in `benchmarks/` of config.yaml, workflow/rich.yaml, workflow/lecture.yaml and SBND's files; of
#: `ours` and of the evaluation, which write no such file, ru_maxrss.
SEEN_MB = {
    "simulate": 467,  # particles in liquid argon, 1100 events
    "convert": 505,  # rich_cherenkov of rich.yaml, 300 events
    "train": 1855,  # sparse_uresnet on SBND's whole planes; `ours` of rich.yaml: 1826
    "predict": 1490,  # `ours` of rich.yaml, 75,059 tracks
    "predict_baseline": 1080,  # pixel_tree of config.yaml; those of rich.yaml: at most 320
    "evaluate": 632,  # rich.yaml, 105 files of predictions, all tables but the ablation
    "report": 2957,  # SBND's; rich.yaml: 2900
    "validate": 471,
}

#: Most seconds of work in the same runs, of a simulated event by detector.
SECONDS_AN_EVENT = {"rich": 0.03, "lartpc": 0.06}  # 8 s of 300; 59 s of 1100, beside other work

#: The same, of a megabyte of input.
SECONDS_A_MB = {
    "convert": 4.6,  # rich_cherenkov of rich.yaml: 32 s of 7.0 MB
    "predict": 0.7,  # sparse_uresnet of lartpc_vertex: 20 s of 30 MB; `ours` of rich.yaml: 0.07
    "predict_baseline": 2.8,  # pixel_tree of config.yaml: 84 s of 30 MB
}

#: Time (minutes) of what does not grow in a known way. The longest training took 941 s (lecture.yaml,
#: beside other work), the longest evaluation 26 s (rich.yaml), report 166 s and validation 176 s. A
#: training that runs out of time goes on from its last epoch at the next attempt.
MINUTES = {"train": 240, "evaluate": 60, "report": 60, "validate": 60}


def memory(rule):
    """Memory (MB) of a rule's jobs: twice what was seen, and twice as much at each further attempt."""
    return lambda wildcards, attempt: SEEN_MB[rule] * 2**attempt


def minutes(seconds, attempt):
    """Time to ask for: thrice the work, for slower nodes, and ten minutes to start and to compile."""
    return attempt * (10 + ceil(3 * seconds / 60))


def simulation_seconds(sample):
    """Work (seconds) of one shard of a simulated sample."""
    return SECONDS_AN_EVENT[sample.detector] * ceil(sample.simulate.events / sample.simulate.shards)


def by_size(rule):
    """Time (minutes) of a job by the size of its input; of root:// addresses that is not known."""
    return lambda wildcards, input, attempt: minutes(SECONDS_A_MB[rule] * input.size_mb, attempt)


def by_rule(rule):
    """Time (minutes) of a job of a rule, whatever its input."""
    return lambda wildcards, attempt: MINUTES[rule] * attempt
