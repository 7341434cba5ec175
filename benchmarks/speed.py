"""What an epoch costs, against a bare PyTorch loop over the same networks.

The bare loop trains encoder and decoder with squared error and fused Adam, in the same batches;
ours adds product of experts, mixture, graph, entropy and the block-coordinate update. Epochs of
the two alternate; quoted is the ratio of their medians. Run with OMP_NUM_THREADS=1.
"""

from __future__ import annotations

import argparse
import statistics
import time

import numpy as np
import torch

from skcausalpima._model.build import build_model
from skcausalpima._model.settings import (
    GradientSettings,
    GraphTrainingSettings,
    InitializationSettings,
    MissingSettings,
    MixtureSettings,
    StoppingSettings,
    TrainingSettings,
)
from skcausalpima._model.spec import ModelSpec
from skcausalpima._model.tensors import TensorData
from skcausalpima._training.block_update import BlockUpdate
from skcausalpima._training.early_stopping import Stopper
from skcausalpima._training.loop import Progress, train
from skcausalpima._training.observer import Observer
from skcausalpima.datasets import make_circles_images
from skcausalpima.modules import Batch

HIDDEN = (128, 64, 32, 16)


def new_model(shape, seed):
    """Build the default model for images of one shape."""
    spec = ModelSpec(
        node_sizes=(2, 2, 2),
        node_names=("N1", "N2", "N3"),
        latent_dim=3,
        modality_names=("images",),
        shapes=(shape,),
        encoders=[None],
        decoders=[None],
        experts=[None],
        hidden_layer_sizes=HIDDEN,
        linear=True,
        full_covariances=True,
        modality_weights=None,
        prior_expert=True,
        sampled_responsibilities=False,
        dtype="float32",
        predict_variances=(False,),
        views=(None,),
    )
    return build_model(spec, torch.Generator().manual_seed(seed))


class BareLoop:
    """Autoencoder with the same networks, squared error, fused Adam."""

    def __init__(self, shape, data, batch_size):
        model = new_model(shape, 0)
        self.encoder, self.decoder, self.shape = model.encoders[0], model.decoders[0], shape
        self.data, self.batch_size = data, batch_size
        parameters = [*self.encoder.parameters(), *self.decoder.parameters()]
        self.optimizer = torch.optim.Adam(parameters, lr=1e-3, fused=True)

    def epoch(self):
        for rows in torch.randperm(len(self.data)).split(self.batch_size):
            x = self.data[rows]
            z = self.encoder(x).chunk(2, dim=1)[0]
            loss = (self.decoder(z).flatten(1) - x).square().sum(dim=1).mean()
            self.optimizer.zero_grad(set_to_none=True)
            loss.backward()
            self.optimizer.step()


class OurLoop:
    """One epoch of Algorithm 2 at a time."""

    def __init__(self, shape, data, batch_size):
        self.model = new_model(shape, 0)
        self.data = TensorData(Batch((data,), None), torch.float32)
        self.settings = TrainingSettings(
            gradient=GradientSettings(
                batch_size=batch_size,
                learning_rate=1e-3,
                graph_learning_rate=1e-2,
                max_grad_norm=None,
            ),
            mixture=MixtureSettings(
                covariance_type="full", reg_covar=1e-6, shrinkage=500.0, n_updates=1
            ),
            graph=GraphTrainingSettings(
                temperatures=np.ones(1), score_noise=0.0, n_steps=0, edge_penalty=0.0
            ),
            stopping=StoppingSettings(tol=0.0, n_iter_no_change=10, validation_fraction=0.0),
            initialization=InitializationSettings(
                init="linear", n_mixture_init=1, pretraining_epochs=0, kl_weight=1.0
            ),
            missing_values=MissingSettings(elements="marginalize", subset_epochs=0),
            decoder_variance="learned",
            polishing_epochs=0,
            verbose=0,
        )
        self.update = BlockUpdate(
            names=("images",),
            mixture=self.settings.mixture,
            variance_floors=torch.full((1,), 1e-6),
        )
        self.generator = torch.Generator().manual_seed(0)

    def epoch(self):
        settings, stopper = self.settings, Stopper(0.0, 10)
        progress = Progress(self.model, settings.gradient, stopper, Observer())
        train(self.model, self.data, None, progress, settings, self.update, self.generator)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--batch-size", type=int, default=128)
    arguments = parser.parse_args()
    images = make_circles_images(random_state=0).images
    data = torch.from_numpy(images.reshape(len(images), -1) - images.mean())
    loops = {
        kind: kind(images.shape[1:], data, arguments.batch_size) for kind in (BareLoop, OurLoop)
    }
    seconds = {kind: [] for kind in loops}
    for _ in range(arguments.rounds + 2):
        for kind, loop in loops.items():
            start = time.perf_counter()
            loop.epoch()
            seconds[kind].append(time.perf_counter() - start)
    medians = {kind: statistics.median(times[2:]) for kind, times in seconds.items()}
    print(f"threads {torch.get_num_threads()}, batch {arguments.batch_size}, circles {data.shape}")
    for kind, median in medians.items():
        print(f"{kind.__name__:10s} {1e3 * median:8.1f} ms an epoch")
    print(f"ratio      {medians[OurLoop] / medians[BareLoop]:8.2f}")


if __name__ == "__main__":
    main()
