"""One thread for a process: several that compute side by side on one machine each keep to one core."""

ONE_THREAD = {"NPROC": "1", "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
"""Environment of such a process, set before it imports JAX.

XLA makes its pool of threads as large as NPROC says; `--xla_cpu_multi_thread_eigen=false` and
`intra_op_parallelism_threads=1` leave the pool at all cores (jaxlib 0.10.2).
"""
