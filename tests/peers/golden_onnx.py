# SPDX-License-Identifier: Apache-2.0
"""NAME.onnx without what no reader needs, and NAME.json: inputs and onnxruntime's outputs, as tests/unit/test_golden_onnx.c reads them."""
import itertools
import json

import numpy as np
import onnx
import onnxruntime

TYPES = {"tensor(int64)": np.int64, "tensor(int32)": np.int32}


def strip(model):
    """Documentation, exporters' notes, declared shapes of inner values, long names: most of a small file."""
    names = {v.name: v.name for v in list(model.graph.input) + list(model.graph.output)}
    names[""] = ""
    numbers = itertools.count()

    def clean(graph):
        for item in list(graph.initializer) + list(graph.output):
            item.name = names.setdefault(item.name, str(len(names)))
        for node in graph.node:
            node.doc_string = ""
            node.name = f"{node.op_type}_{next(numbers)}"
            node.input[:] = [names.setdefault(n, str(len(names))) for n in node.input]
            node.output[:] = [names.setdefault(n, str(len(names))) for n in node.output]
            del node.metadata_props[:]
            for attribute in node.attribute:
                if attribute.type == onnx.AttributeProto.GRAPH:
                    clean(attribute.g)
        for item in list(graph.input) + list(graph.output) + list(graph.initializer):
            item.doc_string = ""
            del item.metadata_props[:]
        graph.doc_string = ""
        del graph.value_info[:], graph.metadata_props[:]
    clean(model.graph)
    del model.metadata_props[:], model.functions[:]
    model.doc_string = ""


def inputs(session, batch, tokens, vocabulary, pad):
    """Random ids, the second text two tokens shorter than the first and so on."""
    random = np.random.RandomState(31 * tokens + batch)
    mask = np.ones((batch, tokens), np.int64)
    for i in range(1, batch):
        mask[i, max(1, tokens - 2 * i):] = 0
    names = [i.name for i in session.get_inputs()]
    ids = random.randint(3, vocabulary - 2, (batch, tokens))
    values = {"input_ids": np.where(mask == 1, ids, pad) if "attention_mask" in names else ids, "attention_mask": mask,
              "token_type_ids": random.randint(0, 2, (batch, tokens)), "position_ids": np.tile(np.arange(tokens), (batch, 1))}
    return {i.name: values[i.name].astype(TYPES[i.type]) for i in session.get_inputs()}


def write(path, vocabulary, pad=1, relative=1e-5, shapes=((1, 5), (3, 8))):
    model = onnx.load(path)
    strip(model)
    onnx.save(model, path)
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    cases, scale = [], 1.0
    for batch, tokens in shapes:
        feed = inputs(session, batch, tokens, vocabulary, pad)
        outputs = dict(zip([o.name for o in session.get_outputs()], session.run(None, feed)))
        scale = max([scale] + [float(np.abs(v).max()) for v in outputs.values()])
        cases.append({"inputs": {k: v.tolist() for k, v in feed.items()},
                      "outputs": {k: np.round(v.astype(np.float64), 7).tolist() for k, v in outputs.items()}})
    golden = {"model": path.name, "made_by": f"onnxruntime {onnxruntime.__version__}", "tolerance_abs": relative * scale, "cases": cases}
    path.with_suffix(".json").write_text(json.dumps(golden) + "\n")
    return path.stat().st_size, path.with_suffix(".json").stat().st_size
