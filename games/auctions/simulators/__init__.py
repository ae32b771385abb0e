"""Simulated advertising markets after AuctionGym and AuctionNet; names are resolved on first use."""

from __future__ import annotations

from equilibria.sim.lazy import exports

_PUBLIC: dict[str, str] = {
    "AuctionGym": "gym",
    "AuctionGymEnv": "environments",
    "AuctionGymSettings": "gym_settings",
    "AuctionNet": "net",
    "AuctionNetEnv": "environments",
    "AuctionNetLog": "net_replay",
    "AuctionNetLogSettings": "net_settings",
    "AuctionNetSettings": "net_settings",
    "Catalogue": "gym",
    "GymLog": "gym_bidders",
    "GymRule": "gym_bidders",
    "NetLog": "net_csv",
    "Trajectory": "net_csv",
    "read_csv": "net_csv",
    "write_days": "net_csv_write",
}

__all__ = sorted(_PUBLIC)  # noqa: PLE0605
__getattr__ = exports("equilibria.games.auctions.simulators", _PUBLIC)
