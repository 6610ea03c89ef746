"""PyTorch, eager: once with autograd, once with the gradients written out."""

import torch
from torch import Tensor
from torch.nn.functional import linear, mse_loss

from benchmarks.problem import Draws, Problem
from qagrel.network import Floats


class TorchPeer:
    """What both versions share: data, weights (fan_out, fan_in) and the choice of actions."""

    def __init__(self, problem: Problem) -> None:
        torch.set_num_threads(1)
        self.spec = problem.spec
        self.images = torch.from_numpy(problem.images())
        self.labels = torch.from_numpy(problem.labels())
        self.matrices = [torch.from_numpy(w.T.copy()) for w in problem.weights]
        self.dtype = self.matrices[0].dtype

    def epoch(self, draws: Draws) -> int:
        """Train on the samples of `draws`; returns how many choices were wrong."""
        batch_size = self.spec.batch_size
        order = torch.from_numpy(draws.order)
        explore = torch.from_numpy(draws.explore) < self.spec.epsilon
        explores = explore.view(-1, batch_size).any(1).tolist()
        labels, choose = self.labels[order], torch.from_numpy(draws.choose)
        chosen = torch.empty_like(labels)
        batches = zip(
            *(t.split(batch_size) for t in (order, explore, choose, labels, chosen)),
            explores,
            strict=True,
        )
        for index, *exploration, label, action, any_explores in batches:
            images = self.images.index_select(0, index)
            self.batch(images, label, action, exploration if any_explores else None)
        return int((chosen != labels).sum())

    def batch(
        self, images: Tensor, labels: Tensor, action: Tensor, exploration: list[Tensor] | None
    ) -> None:
        """Learn from one batch; `action` receives the choices."""
        raise NotImplementedError

    def select(self, q: Tensor, exploration: list[Tensor] | None, out: Tensor) -> None:
        """The best action, or where a trial explores one drawn from the Boltzmann distribution."""
        torch.argmax(q, 1, out=out)
        if exploration is not None:
            explore, choose = exploration
            cumulative = torch.softmax(q / self.spec.temperature, 1).cumsum(1)
            drawn = (choose[:, None] >= cumulative[:, :-1]).sum(1)
            out.copy_(torch.where(explore, drawn, out))

    def weights(self) -> list[Floats]:
        """The present weights, copied."""
        return [w.detach().numpy().T.copy() for w in self.matrices]


class TorchAutograd(TorchPeer):
    """The loss is (q_s - r)^2 / 2 on the selected action; autograd does the rest."""

    def __init__(self, problem: Problem) -> None:
        super().__init__(problem)
        for w in self.matrices:
            w.requires_grad_()

    def batch(
        self, images: Tensor, labels: Tensor, action: Tensor, exploration: list[Tensor] | None
    ) -> None:
        """Learn from one batch; `action` receives the choices."""
        y = images
        for weights in self.matrices[:-1]:
            y = torch.relu(linear(y, weights))
        q = linear(y, self.matrices[-1])
        self.select(q.detach(), exploration, action)
        value = q.gather(1, action[:, None]).squeeze(1)
        reward = (action == labels).to(self.dtype)
        loss = 0.5 * mse_loss(value, reward)
        gradients = torch.autograd.grad(loss, self.matrices)
        with torch.no_grad():
            torch._foreach_add_(self.matrices, gradients, alpha=-self.spec.learning_rate)


class TorchByHand(TorchPeer):
    """Forward pass, feedback and update written out, without a graph."""

    def epoch(self, draws: Draws) -> int:
        """Train on the samples of `draws`; returns how many choices were wrong."""
        with torch.inference_mode():
            return super().epoch(draws)

    def batch(
        self, images: Tensor, labels: Tensor, action: Tensor, exploration: list[Tensor] | None
    ) -> None:
        """Learn from one batch; `action` receives the choices."""
        layers = [images]
        for weights in self.matrices[:-1]:
            layers.append(linear(layers[-1], weights).relu_())
        q = linear(layers[-1], self.matrices[-1])
        self.select(q, exploration, action)
        index = action[:, None]
        delta = (action == labels).to(self.dtype)[:, None] - q.gather(1, index)
        signal = torch.zeros_like(q).scatter_(1, index, delta)
        rate = self.spec.learning_rate / self.spec.batch_size
        for layer, weights in zip(reversed(layers), reversed(self.matrices), strict=True):
            above = signal
            if layer is not images:
                signal = torch.mm(above, weights).mul_(layer > 0)
            weights.addmm_(above.T, layer, alpha=rate)
