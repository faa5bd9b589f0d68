"""A user's script: Keras on scikit-learn's digits, and one line more."""

import json
import sys
import time

import keras
from sklearn.datasets import load_digits

import agnez

port, renderer = int(sys.argv[1]), sys.argv[2]
keras.utils.set_random_seed(0)
images, labels = load_digits(return_X_y=True)
images = images.reshape(-1, 8, 8, 1).astype("float32") / 16
model = keras.Sequential(
    [
        keras.layers.Input((8, 8, 1)),
        keras.layers.Conv2D(16, 3, activation="relu", name="conv1"),
        keras.layers.Conv2D(16, 3, activation="relu", name="conv2"),
        keras.layers.Flatten(),
        keras.layers.Dense(10, activation="softmax", name="head"),
    ]
)
model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])


class Slow(keras.utils.PyDataset):
    """Batches that take their time, so that the page has something to follow."""

    def __init__(self, images, labels):
        super().__init__()
        self.images, self.labels = images, labels

    def __len__(self):
        return -(-len(self.images) // 32)

    def __getitem__(self, index):
        time.sleep(0.02)
        part = slice(32 * index, 32 * index + 32)
        return self.images[part], self.labels[part]


class Pause(keras.callbacks.Callback):
    """Wait for the browser of the test."""

    def on_train_begin(self, logs=None):
        print("ready")
        input()


history = model.fit(
    Slow(images[:1437], labels[:1437]),
    epochs=6,
    validation_data=(images[1437:], labels[1437:]),
    verbose=0,
    callbacks=[agnez.AgnezCallback(project="digits", port=port, renderer=renderer), Pause()],
)
print(json.dumps(history.history))
input()
