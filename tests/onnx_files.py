"""Small networks of random weights in files of ONNX."""

import numpy as np
import pytest


def picture_network(path, shape, width=7, maps=False, half=False):
    """Blocks of 8 x 8 pixels (or pixels, where colors come last) mixed into ``width`` features.

    Averaged over the picture unless ``maps`` are wanted; in half precision if asked.
    """
    first = shape[1] == 3
    mix = np.random.default_rng(0).normal(size=(width, 3, 8, 8) if first else (shape[3], width))
    nodes = [("Conv", ["x", "mix"], {"strides": [8, 8]})]
    if not first:
        nodes = [("MatMul", ["x", "mix"], {}), ("Transpose", ["a"], {"perm": [0, 3, 1, 2]})]
    return _save(path, shape, nodes + _END[: 1 if maps else 3], mix, half)


def sound_network(path, shape, width=6):
    """Blocks of 64 samples mixed into ``width`` features and averaged."""
    mix = np.random.default_rng(0).normal(size=(width, 1, 64))
    nodes = [("Conv", ["x", "mix"], {"strides": [16]})]
    if len(shape) == 2:
        nodes = [("Unsqueeze", ["x", "one"], {}), ("Conv", ["a", "mix"], {"strides": [16]})]
    return _save(path, shape, nodes + _END, mix)


_END = [("Relu", ["?"], {}), ("GlobalAveragePool", ["?"], {}), ("Flatten", ["?"], {})]


def _save(path, shape, nodes, mix, half=False):
    pytest.importorskip("onnxruntime", reason="onnxruntime is not installed: extra onnx")
    onnx = pytest.importorskip("onnx", reason="onnx is not installed: it makes the tests' networks")
    from onnx import TensorProto, helper, numpy_helper

    kind = TensorProto.FLOAT16 if half else TensorProto.FLOAT
    constants = {"mix": mix.astype(np.float16 if half else np.float32)}
    if any("one" in inputs for _, inputs, _ in nodes):
        constants["one"] = np.array([1])
    made, last = [], "x"
    for (operator, inputs, options), out in zip(nodes, "abcdef", strict=False):
        inputs = [last if name == "?" else name for name in inputs]
        made.append(helper.make_node(operator, inputs, [out], **options))
        last = out
    graph = helper.make_graph(
        made,
        "network",
        [helper.make_tensor_value_info("x", kind, shape)],
        [helper.make_tensor_value_info(last, kind, None)],
        [numpy_helper.from_array(values, name) for name, values in constants.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    onnx.save(model, str(path))
    return path
