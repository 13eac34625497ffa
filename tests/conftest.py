"What all tests share: one thread for each test process, so that processes running side by side do not fight over the cores."
import os

for _name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
    os.environ.setdefault(_name, "1")
os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")

from hypothesis import settings

settings.register_profile("unhurried", deadline=None)   # a busy machine is no failure
settings.load_profile("unhurried")
