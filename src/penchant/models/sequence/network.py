"""The network: item vectors, a causal transformer, user vectors, a mixture of logits.

Letters: B histories in a batch, L events in each, N items, D width, K interests, M facets.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from scipy import sparse
from torch import Tensor, nn
from torch.nn import functional

from penchant.config import SequenceSettings
from penchant.models.sequence.batches import GAPS


@dataclass(frozen=True)
class Shape:
    """How much of everything there is: items, tokens, behaviors, domains with the unknown one."""

    items: int
    tokens: int
    behaviors: int
    domains: int


class ItemTable(NamedTuple):
    """Some items as the network sees them: vectors (I, D) and biases (I,).

    ``unit`` are the vectors as a plain inner product reads them, where they have been made.
    """

    vectors: Tensor
    bias: Tensor
    unit: Tensor | None = None

    def take(self, places: Tensor) -> "ItemTable":
        """The items at some places."""
        vectors = functional.embedding(places, self.vectors)
        unit = None if self.unit is None else functional.embedding(places, self.unit)
        return ItemTable(vectors, self.bias.index_select(0, places), unit)


class Modality(nn.Module):
    """Content rows (N, F), sparse or dense, projected to D and gated; zero where missing.

    vector_i = sigmoid(<g, p_i> + c) p_i with p_i = F_i W: the gate tells how far this content is
    to be trusted for this item.
    """

    indptr: Tensor
    indices: Tensor
    values: Tensor
    rows: Tensor
    present: Tensor

    def __init__(self, rows: sparse.csr_array | NDArray[np.float32], width: int) -> None:
        super().__init__()
        self.sparse = sparse.issparse(rows)
        if self.sparse:
            rows = sparse.csr_array(rows)
            self.register_buffer("indptr", torch.from_numpy(rows.indptr.astype(np.int64)))
            self.register_buffer("indices", torch.from_numpy(rows.indices.astype(np.int64)))
            self.register_buffer("values", torch.from_numpy(rows.data.astype(np.float32)))
            present = np.diff(rows.indptr) > 0
        else:
            self.register_buffer("rows", torch.from_numpy(np.asarray(rows, np.float32)))
            present = np.abs(np.asarray(rows)).sum(axis=1) > 0
        self.register_buffer("present", torch.from_numpy(present))
        self.weight = nn.Parameter(torch.randn(rows.shape[1], width) * 0.02)
        self.gate = nn.Linear(width, 1)

    def forward(self, items: Tensor) -> Tensor:
        """(I,) item rows to (I, D)."""
        if self.sparse:
            start, stop = self.indptr[items], self.indptr[items + 1]
            length = stop - start
            first = torch.cumsum(length, 0) - length
            places = torch.arange(int(length.sum()), device=items.device)
            places = places + torch.repeat_interleave(start - first, length)
            projected = functional.embedding_bag(
                self.indices[places],
                self.weight,
                first,
                mode="sum",
                per_sample_weights=self.values[places],
            )
        else:
            projected = self.rows[items] @ self.weight
        return torch.sigmoid(self.gate(projected)) * projected * self.present[items, None]


class Items(nn.Module):
    """Item vectors: an embedding of the identifier and a gated projection of each modality.

    An item that was in no training event has content alone. ``known`` (N,) marks the others.
    """

    known: Tensor

    def __init__(
        self,
        known: NDArray[np.bool_],
        contents: dict[str, sparse.csr_array | NDArray[np.float32]],
        settings: SequenceSettings,
    ) -> None:
        super().__init__()
        D = settings.embedding_size
        self.embedding = nn.Embedding(len(known), D)
        nn.init.normal_(self.embedding.weight, std=0.02)
        self.bias = nn.Parameter(torch.zeros(len(known)))
        self.modalities = nn.ModuleDict(
            {name: Modality(rows, D) for name, rows in sorted(contents.items())}
        )
        self.register_buffer("known", torch.from_numpy(known))
        self.drop_id, self.drop_content = settings.id_dropout, settings.content_dropout

    def own(self, items: Tensor) -> tuple[Tensor, Tensor]:
        """The learned vectors (I, D) and biases (I,) of some item rows (I,)."""
        return self.embedding.weight.index_select(0, items), self.bias.index_select(0, items)

    def forward(self, items: Tensor, own: Tensor) -> Tensor:
        """Vectors (I, D) of some item rows (I,), whose learned vectors are ``own`` (I, D)."""
        vectors = own * self.known[items, None]
        if self.modalities:
            vectors = self._dropped(vectors, self.drop_id)
        for modality in self.modalities.values():
            vectors = vectors + self._dropped(modality(items), self.drop_content)
        return vectors

    def _dropped(self, vectors: Tensor, share: float) -> Tensor:
        if not (self.training and share):
            return vectors
        kept = torch.rand(len(vectors), 1, device=vectors.device) >= share
        return vectors * kept


class Dropout(nn.Module):
    """Dropout whose share is rounded to 1/256: on a processor a byte for each value decides.

    Drawing bytes takes a tenth of the time of drawing Bernoulli variables. ``noise`` is what they
    are drawn from; who trains puts it there.
    """

    def __init__(self, share: float) -> None:
        super().__init__()
        self.least = round(share * 256)
        self.noise = np.random.Generator(np.random.SFC64(0))

    def forward(self, x: Tensor) -> Tensor:
        """The values, some of them 0 and the others larger, so that the mean stays."""
        if not (self.training and self.least):
            return x
        if x.device.type != "cpu":
            return functional.dropout(x, self.least / 256)
        words = self.noise.integers(1 << 64, size=-(-x.numel() // 8), dtype=np.uint64)
        drawn = torch.from_numpy(words.view(np.uint8)[: x.numel()]).view(x.shape)
        kept = torch.ge(drawn, self.least, out=torch.empty_like(x))  # no bool: it is slow to cast
        return x * kept.mul_(256 / (256 - self.least))


class TransformerBlock(nn.Module):
    """Pre-norm attention and feed-forward, each with a residual."""

    def __init__(self, settings: SequenceSettings) -> None:
        super().__init__()
        D, F = settings.embedding_size, settings.embedding_size * settings.expansion
        self.heads = settings.heads
        self.before_attention, self.before_forward = nn.LayerNorm(D), nn.LayerNorm(D)
        self.qkv = nn.Linear(D, 3 * D, bias=False)
        self.out = nn.Linear(D, D, bias=False)
        self.up, self.down = nn.Linear(D, F), nn.Linear(F, D)
        self.dropout = Dropout(settings.dropout)

    def forward(self, x: Tensor) -> Tensor:
        B, L, D = x.shape
        q, k, v = (
            part.view(B, L, self.heads, D // self.heads).transpose(1, 2)
            for part in self.qkv(self.before_attention(x)).chunk(3, dim=-1)
        )
        # dropout of attention weights would leave the fused kernel
        attended = functional.scaled_dot_product_attention(q, k, v, is_causal=True)
        x = x + self.dropout(self.out(attended.transpose(1, 2).reshape(B, L, D)))
        inner = functional.relu(self.up(self.before_forward(x)))
        return x + self.dropout(self.down(inner))


class Network(nn.Module):
    """From events to user vectors; item vectors are shared between input and output."""

    def __init__(
        self,
        shape: Shape,
        known: NDArray[np.bool_],
        contents: dict[str, sparse.csr_array | NDArray[np.float32]],
        settings: SequenceSettings,
    ) -> None:
        super().__init__()
        D = settings.embedding_size
        self.shape, self.settings = shape, settings
        self.items = Items(known, contents, settings)
        self.tokens = nn.Embedding(max(1, shape.tokens), D)
        self.behaviors = nn.Embedding(shape.behaviors, D)
        self.domains = nn.Embedding(shape.domains, D)
        self.gaps = nn.Embedding(GAPS, D)
        self.places = nn.Embedding(settings.max_length, D)
        self.asked = nn.Embedding(shape.behaviors, D)
        for table in (
            *(self.tokens, self.behaviors, self.domains),
            *(self.gaps, self.places, self.asked),
        ):
            nn.init.normal_(table.weight, std=0.02)
        self.blocks = nn.ModuleList(TransformerBlock(settings) for _ in range(settings.layers))
        self.last = nn.LayerNorm(D)
        self.dropout = Dropout(settings.dropout)
        K, M = settings.interests, settings.facets
        self.interests = nn.Linear(D, K * D) if K * M > 1 else nn.Identity()
        self.facets = nn.Linear(D, M * D, bias=False) if K * M > 1 else nn.Identity()
        self.user_gate = nn.Linear(D, K * M) if K * M > 1 else None
        self.item_gate = nn.Linear(D, K * M, bias=False) if K * M > 1 else None
        with torch.no_grad():  # a mixture begins as the inner product that its parts differ from
            for copies in (self.interests, self.facets):
                if isinstance(copies, nn.Linear):
                    rows = copies.out_features // D
                    copies.weight.mul_(0.1).add_(torch.eye(D).repeat(rows, 1))

    def table(self) -> ItemTable:
        """Every item as it is."""
        everything = torch.arange(self.shape.items, device=self.items.bias.device)
        own, bias = self.items.own(everything)
        vectors = self.items(everything, own)
        return ItemTable(vectors, bias, self._unit(vectors))

    def read(self, fields: Sequence[Tensor], vectors: Tensor) -> Tensor:
        """States after each event, (B, L, D), of thing, behavior, domain, gap, asked, (B, L) each.

        A thing is a row of the item ``vectors`` (I, D), or I + the row of a token. ``asked`` is
        the behavior of the event to come: what is read of the past depends on it.
        """
        content = self.content_embedding(fields, vectors)
        return self.passed(content + self.position_embedding(fields[-1]))

    def content_embedding(self, fields: Sequence[Tensor], vectors: Tensor) -> Tensor:
        """What each event itself says, (B, L, D)."""
        thing, behavior, domain, gap, _ = fields
        x = self._things(thing, vectors)
        return x + self.behaviors(behavior) + self.domains(domain) + self.gaps(gap)

    def position_embedding(self, asked: Tensor) -> Tensor:
        """What is known without the events: places, and what is asked next (B, L), (B, L, D)."""
        # the latest event has one place in all windows
        return self.asked(asked) + self.places.weight[-asked.shape[1] :]

    def passed(self, x: Tensor) -> Tensor:
        """States (B, L, D) of embedded events (B, L, D)."""
        x = self.dropout(x)
        for block in self.blocks:
            x = block(x)
        return self.last(x)

    def _things(self, thing: Tensor, vectors: Tensor) -> Tensor:
        if not self.shape.tokens:
            return functional.embedding(thing, vectors)
        about = (thing < len(vectors))[..., None]
        of_items = functional.embedding(torch.where(about[..., 0], thing, 0), vectors)
        of_tokens = self.tokens((thing - len(vectors)).clamp(min=0))
        return torch.where(about, of_items, of_tokens)

    def logits(self, states: Tensor, items: ItemTable) -> Tensor:
        """Scores of some items for asked states (T, D), (T, I).

        One interest and one facet: <x_u, x_i> + b_i, x_u of length ``scale`` and x_i of at most 1
        where there is a scale. Else the mixture of logits (Zhai et al. 2023, eq. 5): sum over
        k, m of pi_km <z_uk, x_im> + b_i, pi = softmax(user gate + item gate), of the same lengths.
        """
        if self.user_gate is None or self.item_gate is None:
            unit = self._unit(items.vectors) if items.unit is None else items.unit
            return torch.addmm(items.bias, self._scaled(states), unit.T)
        (u, p), (v, q) = self._users(states), self._faces(items.vectors)
        told = u.flatten(1) @ v.flatten(1).T
        return told / (p.flatten(1) @ q.flatten(1).T) + items.bias

    def each(self, states: Tensor, items: ItemTable) -> tuple[Tensor, Tensor]:
        """What each of the K vectors of asked states (T, D) says: logits and shares, (T, K, I).

        The logits of a vector are those of the mixture with its own facets' gates alone; its
        share of an item is what they have of all gates, and the shares of an item add to 1.
        """
        if self.user_gate is None or self.item_gate is None:
            logits = self.logits(states, items)[:, None]
            return logits, torch.ones_like(logits)
        (u, p), (v, q) = self._users(states), self._faces(items.vectors)
        gate = torch.einsum("tkm,ikm->tki", p, q)
        own = torch.einsum("tkf,ikf->tki", u, v) / gate + items.bias
        return own, gate / gate.sum(1, keepdim=True)

    def pair_logits(self, states: Tensor, items: ItemTable) -> Tensor:
        """Score of one item for each asked state (T, D), (T,)."""
        if self.user_gate is None or self.item_gate is None:
            return (self._scaled(states) * self._unit(items.vectors)).sum(-1) + items.bias
        (u, p), (v, q) = self._users(states), self._faces(items.vectors)
        return (u * v).sum((1, 2)) / (p * q).sum((1, 2)) + items.bias

    def directions(self, states: Tensor) -> Tensor:
        """The K vectors of each asked state (T, D), all of one length, (T, K, D)."""
        K, D = self.settings.interests, self.settings.embedding_size
        z = functional.normalize(self.interests(states).view(-1, K, D), dim=-1)
        return z * (self.settings.scale or D**0.5)

    def _scaled(self, states: Tensor) -> Tensor:
        scale = self.settings.scale
        return functional.normalize(states, dim=-1) * scale if scale else states

    def _unit(self, vectors: Tensor) -> Tensor:
        return _soft(vectors) if self.settings.scale else vectors

    # softmax(a + b)_j is exp(a_j) exp(b_j) over the sum of such products: so the mixture is one
    # matrix product, of what each side weighs by its own gate, over another, of the gates

    def _users(self, states: Tensor) -> tuple[Tensor, Tensor]:
        """exp(user gate) z_uk for all facets in a row, (T, K, M D), and the gates (T, K, M)."""
        assert self.user_gate is not None
        gate = self._opened(self.user_gate(states))
        return (self.directions(states)[:, :, None] * gate[..., None]).flatten(2), gate

    def _faces(self, vectors: Tensor) -> tuple[Tensor, Tensor]:
        """exp(item gate) x_im for each interest, (I, K, M D), and the gates (I, K, M)."""
        assert self.item_gate is not None
        M, D = self.settings.facets, self.settings.embedding_size
        gate = self._opened(self.item_gate(vectors))
        faces = _soft(self.facets(vectors).view(-1, 1, M, D))
        return (faces * gate[..., None]).flatten(2), gate

    def _opened(self, gate: Tensor) -> Tensor:
        """exp of gates (T, K M), the widest being 1 and none below what float32 can divide by."""
        gate = (gate - gate.amax(-1, keepdim=True)).clamp(min=-40)
        return torch.exp(gate).view(-1, self.settings.interests, self.settings.facets)


def _soft(vectors: Tensor) -> Tensor:
    """v / sqrt(|v|^2 + .5^2): near a unit vector where training has made v long.

    A vector that few events have moved stays short, and its logits near the bias: were it of full
    length from the start, its random direction would be believed.
    """
    return vectors * torch.rsqrt(vectors.square().sum(-1, keepdim=True) + 0.25)
