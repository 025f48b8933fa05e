#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Makes tests/golden/onnx/bert_keras15: a small random BERT in Keras, by tf2onnx. usage: make_keras_bert.py [FOLDER]; requirements-keras.txt"""
import os
import pathlib
import sys

os.environ.update(TF_CPP_MIN_LOG_LEVEL="3", CUDA_VISIBLE_DEVICES="")
import keras  # noqa: E402
import numpy as np  # noqa: E402
import tensorflow as tf  # noqa: E402
import tf2onnx  # noqa: E402
from golden_onnx import write  # noqa: E402
from keras.layers import Dense, Embedding, LayerNormalization  # noqa: E402

VOCABULARY, HIDDEN, LAYERS, HEADS, INNER, POSITIONS = 24, 16, 2, 2, 24, 16


class Embeddings(keras.layers.Layer):
    def __init__(self):
        super().__init__()
        self.words, self.positions, self.types = Embedding(VOCABULARY, HIDDEN), Embedding(POSITIONS, HIDDEN), Embedding(2, HIDDEN)
        self.norm = LayerNormalization(epsilon=1e-12)

    def call(self, ids, types):
        return self.norm(self.words(ids) + self.positions(tf.range(tf.shape(ids)[1]))[None] + self.types(types))


class Block(keras.layers.Layer):
    def __init__(self):
        super().__init__()
        self.query, self.key, self.value, self.output_ = (Dense(HIDDEN) for _ in range(4))
        self.up, self.down = Dense(INNER), Dense(HIDDEN)
        self.norm1, self.norm2 = LayerNormalization(epsilon=1e-12), LayerNormalization(epsilon=1e-12)

    def call(self, x, mask):
        batch, tokens = tf.shape(x)[0], tf.shape(x)[1]
        heads = lambda t: tf.transpose(tf.reshape(t, [batch, tokens, HEADS, HIDDEN // HEADS]), [0, 2, 1, 3])
        scores = tf.matmul(heads(self.query(x)), heads(self.key(x)), transpose_b=True) / tf.sqrt(float(HIDDEN // HEADS)) + mask
        context = tf.reshape(tf.transpose(tf.matmul(tf.nn.softmax(scores), heads(self.value(x))), [0, 2, 1, 3]), [batch, tokens, HIDDEN])
        x = self.norm1(x + self.output_(context))
        up = self.up(x)
        return self.norm2(x + self.down(0.5 * up * (1 + tf.math.erf(up / tf.sqrt(2.0)))))


class Bert(keras.Model):
    def __init__(self):
        super().__init__()
        self.embeddings, self.blocks = Embeddings(), [Block() for _ in range(LAYERS)]

    def call(self, ids, mask, types):
        x = self.embeddings(ids, types)
        bias = (1.0 - tf.cast(mask, tf.float32))[:, None, None, :] * -10000.0
        for block in self.blocks:
            x = block(x, bias)
        return x


if __name__ == "__main__":
    root = pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else pathlib.Path(__file__).parent.parent / "golden" / "onnx")
    keras.utils.set_random_seed(20)
    model, ones = Bert(), np.ones((2, 7), np.int32)
    model(ones, ones, ones)
    random = np.random.RandomState(20)
    for weight in model.weights:
        if len(weight.shape) > 1:
            weight.assign(random.normal(0, 0.3, weight.shape))
    signature = [tf.TensorSpec([None, None], tf.int32, name=n) for n in ("input_ids", "attention_mask", "token_type_ids")]

    @tf.function(input_signature=signature)
    def encode(input_ids, attention_mask, token_type_ids):
        return {"last_hidden_state": model(input_ids, attention_mask, token_type_ids)}

    tf2onnx.convert.from_function(encode, input_signature=signature, opset=15, output_path=str(root / "bert_keras15.onnx"))
    print("bert_keras15", *write(root / "bert_keras15.onnx", VOCABULARY))
