"""What is measured, each bar in a module of its own: a function from the bench to a Section."""

from scenarios import examples, s1, s2, s3, s3b, s4, s6, s7, s8, s9, s10, s11, s12, s13, shards

ALL = {
    "S1": s1.measure,
    "S2": s2.measure,
    "S3": s3.measure,
    "S3B": s3b.measure,
    "S4": s4.measure,
    "S6": s6.measure,
    "S7": s7.measure,
    "S8": s8.measure,
    "S9": s9.measure,
    "S10": s10.measure,
    "S11": s11.measure,
    "S12": s12.measure,
    "S13": s13.measure,
    "SHARDS": shards.measure,
    "EXAMPLES": examples.measure,
}
ALIASES = {"S5": "S3"}  # counted in the same run
