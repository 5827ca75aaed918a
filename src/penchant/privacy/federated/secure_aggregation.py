"""Secure aggregation: a server learns the sum of vectors modulo 2^64 and no vector.

The protocol of Bonawitz et al. 2017 on the sparse graph of Bell et al. 2020 (SecAgg+), over the
integers themselves: nothing is scaled or rounded, so the sum is that of the vectors, bit for bit.

Each member has two X25519 key pairs and a seed. It masks its vector with a stream of its seed, and
with one for each neighbor, of the secret that both derive, which one adds and the other takes away.
It gives each neighbor a Shamir share of its seed and of its masking key, sealed. Of a member whose
vector came, neighbors open the seed; of one that was lost, the masking key; never both.

The server is believed to follow the protocol, and to read all that it gets. Fewer neighbors than
``threshold`` learn nothing of a member, even together with the server. A server that tells members
different stories of who was lost is not found out: their signed agreement is left out.
"""

import json
import secrets
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

import numpy as np
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from penchant.errors import ConfigError, TrainingError
from penchant.privacy.federated.agreement import UInt64s

FEWEST = 3
"""Of two members, each would know the other's vector from the sum."""

_FIELD = 2**521 - 1  # a prime above all secrets of 32 bytes
_SHARE = 66  # bytes of a number of the field


@dataclass(frozen=True)
class PublicKeys:
    """The public keys of a member: of its sealed letters, and of its masks."""

    letters: bytes
    masks: bytes


@dataclass
class Member:
    """One client's side of one sum. Its steps are taken once each, in the order of the methods.

    number     of the member, 1 or more; ``threshold`` shares open a secret
    """

    number: int
    threshold: int
    letter_key: bytes = field(default_factory=lambda: secrets.token_bytes(32), repr=False)
    mask_key: bytes = field(default_factory=lambda: secrets.token_bytes(32), repr=False)
    seed: bytes = field(default_factory=lambda: secrets.token_bytes(32), repr=False)
    keys: dict[int, PublicKeys] = field(default_factory=dict)
    letters: dict[int, bytes] = field(default_factory=dict)
    opened: bool = False

    def public(self) -> PublicKeys:
        """What all may know."""
        return PublicKeys(*map(_public, (self.letter_key, self.mask_key)))

    def share(self, keys: Mapping[int, PublicKeys]) -> dict[int, bytes]:
        """A sealed letter to each neighbor, with shares of both secrets, from their public keys.

        Raises TrainingError where neighbors are too few, or two have one key.
        """
        distinct = {one for pair in keys.values() for one in (pair.letters, pair.masks)}
        if self.keys or len(keys) < self.threshold or len(distinct) != 2 * len(keys):
            raise TrainingError(
                f"expected, once, distinct keys of at least {self.threshold} neighbors, received "
                f"those of {len(keys)}; nothing was sent"
            )
        self.keys = dict(keys)
        numbers = sorted(keys)
        seeds = split_secret(self.seed, numbers, self.threshold)
        masks = split_secret(self.mask_key, numbers, self.threshold)
        letters = {}
        for number in numbers:
            nonce = secrets.token_bytes(12)
            box = self._box(number)
            text = seeds[number] + masks[number]
            letters[number] = nonce + box.encrypt(nonce, text, _address(self.number, number))
        return letters

    def masked(self, vector: UInt64s, letters: Mapping[int, bytes]) -> UInt64s:
        """The vector under its masks; ``letters`` are those of the neighbors that are still there.

        Raises TrainingError where they are fewer than the threshold.
        """
        if self.letters or len(letters) < self.threshold or not letters.keys() <= self.keys.keys():
            raise TrainingError(
                f"expected, once, letters of at least {self.threshold} neighbors, received those "
                f"of {len(letters)}; nothing was sent"
            )
        self.letters = dict(letters)
        hidden = vector + stream(self.seed, len(vector))
        for number in letters:
            mask = between(self.mask_key, self.keys[number].masks, len(vector))
            hidden = hidden + mask if self.number < number else hidden - mask
        return hidden

    def open(self, arrived: Iterable[int]) -> dict[int, bytes]:
        """A share of each neighbor: of its seed where its vector arrived, else of its masking key.

        Raises TrainingError where it was asked before, too few arrived, or a letter was forged.
        """
        came = set(arrived) & self.letters.keys()
        if self.opened or len(came) < self.threshold:
            raise TrainingError(
                f"expected one question, after vectors of at least {self.threshold} neighbors, "
                f"received {'another' if self.opened else f'those of {len(came)}'}; nothing was "
                "opened"
            )
        self.opened = True
        found = {}
        for number, letter in self.letters.items():
            try:
                address = _address(number, self.number)
                text = self._box(number).decrypt(letter[:12], letter[12:], address)
            except InvalidTag as error:
                raise TrainingError(f"the letter of member {number} was forged") from error
            found[number] = text[:_SHARE] if number in came else text[_SHARE:]
        return found

    def to_json(self) -> str:
        """The member's whole state, secrets too: it stays with the client."""
        content = {
            "number": self.number,
            "threshold": self.threshold,
            "secrets": [key.hex() for key in (self.letter_key, self.mask_key, self.seed)],
            "keys": {n: [k.letters.hex(), k.masks.hex()] for n, k in self.keys.items()},
            "letters": {number: letter.hex() for number, letter in self.letters.items()},
            "opened": self.opened,
        }
        return json.dumps(content)

    @classmethod
    def from_json(cls, text: str) -> "Member":
        """The member that gave this text."""
        of = json.loads(text)
        letter_key, mask_key, seed = map(bytes.fromhex, of["secrets"])
        return cls(
            of["number"],
            of["threshold"],
            letter_key,
            mask_key,
            seed,
            {int(n): PublicKeys(*map(bytes.fromhex, pair)) for n, pair in of["keys"].items()},
            {int(n): bytes.fromhex(letter) for n, letter in of["letters"].items()},
            of["opened"],
        )

    def _box(self, number: int) -> ChaCha20Poly1305:
        other = self.keys[number].letters
        return ChaCha20Poly1305(_agreed(self.letter_key, other, b"penchant letter"))


def ring(members: int, degree: int | None = None) -> dict[int, list[int]]:
    """The neighbors of members 1 to n: the nearest on a ring in random order (Harary graph).

    ``degree`` is rounded up to an even number; by default all are neighbors. The fewer neighbors,
    the less is sent, and the fewer must collude against a member: Bell et al. 2020, section 3.

    >>> {len(others) for others in ring(20, 8).values()}, len(ring(20)[7])
    ({8}, 19)

    Raises ConfigError for fewer than three members or two neighbors.
    """
    degree = members - 1 if degree is None else degree
    if members < FEWEST or degree < 2:
        raise ConfigError(
            f"expected at least {FEWEST} clients, 2 neighbors each, to hide one's sums among "
            f"others', received {members} and {degree}; sum in the open, or wait for more clients"
        )
    order = list(range(1, members + 1))
    secrets.SystemRandom().shuffle(order)
    half = -(-min(degree, members - 1) // 2)
    steps = {step % members for k in range(1, half + 1) for step in (k, -k)}
    return {
        member: sorted(order[(place + step) % members] for step in steps)
        for place, member in enumerate(order)
    }


def threshold_for(neighbors: Iterable[int]) -> int:
    """The threshold for a member's neighbors: more than half of them, by default two thirds.

    More than half, so that a server cannot get both secrets of a member from two halves.

    >>> threshold_for(range(19))
    13
    """
    return 2 * len(list(neighbors)) // 3 + 1


def unmasked(
    total: UInt64s,
    graph: Mapping[int, list[int]],
    keys: Mapping[int, PublicKeys],
    threshold: int,
    opened: Mapping[int, Mapping[int, bytes]],
    arrived: Iterable[int],
) -> UInt64s:
    """The sum of the vectors that arrived, from the sum of these under their masks.

    graph    neighbors of each member that sent letters, among such
    opened   of each member that answered: its shares of its neighbors

    Raises TrainingError where too few shares came, or they do not fit a member's public key.
    """
    came = set(arrived)
    total = total.copy()
    for number, neighbors in graph.items():
        with_me = [other for other in neighbors if other in came]
        if number not in came and not with_me:
            continue
        shares = {n: opened[n][number] for n in neighbors if number in opened.get(n, {})}
        if len(shares) < threshold:
            raise TrainingError(
                f"expected shares of member {number}'s secret from {threshold} neighbors, received "
                f"{len(shares)}: too many clients were lost; start again"
            )
        secret = joined_secret(shares, threshold)
        if number in came:
            total = total - stream(secret, len(total))
            continue
        if _public(secret) != keys[number].masks:
            raise TrainingError(f"the shares of member {number}'s key do not fit it; start again")
        for other in with_me:  # whose mask with the lost member has nothing to meet
            mask = between(secret, keys[other].masks, len(total))
            total = total - mask if other < number else total + mask
    return total


def stream(secret: bytes, cells: int) -> UInt64s:
    """The integers modulo 2^64 that 32 secret bytes stand for, (cells,): AES-256 in counter mode.

    A secret makes one stream and is then thrown away, so the counter begins at 0.
    """
    cipher = Cipher(algorithms.AES(secret), modes.CTR(bytes(16))).encryptor()
    return np.frombuffer(cipher.update(bytes(8 * cells)), "<u8").astype(np.uint64, copy=False)


def between(private: bytes, public: bytes, cells: int) -> UInt64s:
    """The mask of two members, (cells,): either has it from its own key and the other's."""
    return stream(_agreed(private, public, b"penchant mask"), cells)


def split_secret(secret: bytes, numbers: Iterable[int], threshold: int) -> dict[int, bytes]:
    """Shamir's shares of 32 bytes, one for each number; any ``threshold`` of them give it back.

    >>> shares = split_secret(b"k" * 32, range(1, 6), 3)
    >>> joined_secret({n: shares[n] for n in (5, 1, 3)}, 3) == b"k" * 32
    True
    """
    rest = [secrets.randbelow(_FIELD) for _ in range(threshold - 1)]
    whole = [int.from_bytes(secret), *rest]
    shares = {}
    for number in numbers:
        value = 0
        for coefficient in reversed(whole):
            value = (value * number + coefficient) % _FIELD
        shares[number] = value.to_bytes(_SHARE)
    return shares


def joined_secret(shares: Mapping[int, bytes], threshold: int) -> bytes:
    """The secret of at least ``threshold`` shares. Raises TrainingError where they do not fit."""
    some = sorted(shares)[:threshold]
    total = 0
    for number in some:
        above, below = 1, 1
        for other in some:
            if other != number:
                above = above * other % _FIELD
                below = below * (other - number) % _FIELD
        total += int.from_bytes(shares[number]) * above * pow(below, -1, _FIELD)
    total %= _FIELD
    if total >= 1 << 256:
        raise TrainingError(f"the shares of members {some} do not fit together; start again")
    return total.to_bytes(32)


def _public(private: bytes) -> bytes:
    return X25519PrivateKey.from_private_bytes(private).public_key().public_bytes_raw()


def _agreed(private: bytes, public: bytes, purpose: bytes) -> bytes:
    """32 bytes that two holders of keys share for one purpose (X25519, then HKDF)."""
    own, other = X25519PrivateKey.from_private_bytes(private), X25519PublicKey
    secret = own.exchange(other.from_public_bytes(public))
    return HKDF(hashes.SHA256(), 32, salt=None, info=purpose).derive(secret)


def _address(sender: int, receiver: int) -> bytes:
    return f"{sender} to {receiver}".encode()
