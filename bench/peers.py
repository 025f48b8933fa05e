#!/usr/bin/env python3
# Minnow - SPDX-License-Identifier: Apache-2.0
"""onnxruntime and OpenVINO as the benchmarks run them.

usage: peers.py ENGINE MODEL THREADS STREAMS

ENGINE: onnxruntime or openvino. Prints the milliseconds that loading MODEL took (the import of the engine's library
not counted); then each line "RUNS BATCH_TOKENS N LENGTH..." on stdin, N texts of these lengths as token ids, is
answered by the milliseconds of each run, one line: bench_int8.c keeps to the same terms. Texts are sorted by length
and padded to the longest of their batch, which has at most BATCH_TOKENS tokens with its padding. STREAMS batches run
at a time, each on THREADS / STREAMS threads. The arrays are made before the clock starts.
Needs numpy and the engine.
"""
import sys
import time
from concurrent.futures import ThreadPoolExecutor

import numpy


def token_id(i):
    return (i * 7919 + 11) % 1000 + 999


def feeds_of(names, lengths):
    """Inputs by name, [texts, longest], for an encoder that has inputs of these names."""
    shape = (len(lengths), max(lengths))
    mask = (numpy.arange(shape[1])[None, :] < numpy.array(lengths)[:, None]).astype(numpy.int64)
    ids = numpy.array([token_id(i) for i in range(shape[1])], numpy.int64)[None, :] * mask
    return {name: mask if "mask" in name else ids if "input_ids" in name else numpy.zeros(shape, numpy.int64)
            for name in names}


def onnxruntime_session(path, threads=1):
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.execution_mode = onnxruntime.ExecutionMode.ORT_SEQUENTIAL
    options.log_severity_level = 3
    return onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])


class Onnxruntime:
    def __init__(self, model, threads, streams):
        self.session = onnxruntime_session(model, threads // streams)
        self.names = [each.name for each in self.session.get_inputs()]

    def runner(self):
        return lambda feeds: self.session.run(None, feeds)


class Openvino:
    def __init__(self, model, threads, streams):
        import openvino

        hint = "LATENCY" if streams == 1 else "THROUGHPUT"
        self.compiled = openvino.Core().compile_model(
            model, "CPU", {"INFERENCE_NUM_THREADS": threads, "NUM_STREAMS": streams, "PERFORMANCE_HINT": hint})
        self.names = [each.get_any_name() for each in self.compiled.inputs]

    def runner(self):
        request = self.compiled.create_infer_request()
        return lambda feeds: request.infer(feeds, share_inputs=True, share_outputs=True)


def batches_of(lengths, batch_tokens):
    batch = []
    for length in sorted(lengths):
        if batch and (len(batch) + 1) * length > batch_tokens:
            yield batch
            batch = []
        batch.append(length)
    yield batch


def run_all(runners, batches, pool):
    def share(k):
        for feeds in batches[k::len(runners)]:
            runners[k](feeds)

    if len(runners) == 1:
        share(0)
    else:
        list(pool.map(share, range(len(runners))))


def main():
    if len(sys.argv) != 5 or sys.argv[1] not in ("onnxruntime", "openvino"):
        sys.exit(__doc__)
    engine, model, threads, streams = sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4])
    __import__(engine)
    start = time.perf_counter()
    peer = {"onnxruntime": Onnxruntime, "openvino": Openvino}[engine](model, threads, streams)
    runners = [peer.runner() for _ in range(streams)]
    print(f"{(time.perf_counter() - start) * 1e3:.6f}", flush=True)
    with ThreadPoolExecutor(streams) as pool:
        for line in sys.stdin:
            runs, batch_tokens, n, *lengths = [int(x) for x in line.split()]
            assert n == len(lengths)
            batches = [feeds_of(peer.names, each) for each in batches_of(lengths, batch_tokens)]
            times = []
            for _ in range(runs):
                start = time.perf_counter()
                run_all(runners, batches, pool)
                times.append((time.perf_counter() - start) * 1e3)
            print(" ".join(f"{each:.6f}" for each in times), flush=True)


if __name__ == "__main__":
    main()
