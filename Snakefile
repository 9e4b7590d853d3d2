# From ROOT hits to performance tables. One rule a stage, one hepcnn command a rule.
#
#   snakemake --cores 2               everything, to RESULTS/report.html
#   snakemake images --cores 2        up to a stage: events, images, networks, tables
#   snakemake --cores 2 --configfile FILE.yaml               FILE.yaml in the place of config.yaml
#   snakemake --cores 2 --configfile config.yaml FILE.yaml   FILE.yaml laid over it, key by key
from snakemake.utils import min_version

min_version("9.0")

if not workflow.overwrite_configfiles:

    configfile: "config.yaml"


include: "workflow/rules/lines.smk"
include: "workflow/rules/common.smk"
include: "workflow/rules/resources.smk"
include: "workflow/rules/events.smk"
include: "workflow/rules/images.smk"
include: "workflow/rules/learning.smk"
include: "workflow/rules/validation.smk"
include: "workflow/rules/performance.smk"


localrules:
    all,
    events,
    gather,
    images,
    networks,
    tables,


onsuccess:
    if Path(f"{OUT}/report.html").exists():
        print(f"The report: {OUT}/report.html")


rule all:
    # Not the report alone: Snakemake makes a deleted file again only if it is asked for.
    default_target: True
    input:
        rules.report.output,
        [path for name, sample in SETTINGS.samples.items() if sample.simulate for path in simulated(name)],
        [path for imageset in IMAGES for path in image_set(imageset)],
        [path for task in SETTINGS.tasks for path in learned(task)],
        [path for task in SETTINGS.tasks for path in table_files(task)],
        [path for detector in SETTINGS.validation for path in validated(detector)],


rule events:
    input:
        [path for name, sample in SETTINGS.samples.items() if sample.simulate for path in simulated(name)],


rule images:
    input:
        [path for imageset in IMAGES for path in image_set(imageset)],


rule networks:
    input:
        [path for task in SETTINGS.tasks for path in learned(task)],


rule tables:
    input:
        [path for task in SETTINGS.tasks for path in table_files(task)],
