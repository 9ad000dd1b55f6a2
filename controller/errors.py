"""Every error the controller raises on purpose.

```
LabwrightError
├── FaultsError             something that a person gave is wrong, told fault by fault
│   ├── FileFaultsError     a campaign or lab file says something that cannot be done
│   └── FormFaultsError     an answer to a task has values that cannot be taken
├── UnknownNameError        no such campaign, experiment or instrument (KeyError)
├── IllegalTransitionError  a status cannot follow another (ValueError)
├── ConflictError           the store holds something else than the command assumes
│   └── NothingYetError     what is asked for rests on results, and there are none yet
├── CampaignLockedError     another controller works on this campaign
├── StoreError              the store is unreachable, damaged or of another version
├── PoolError               a list of candidates that a campaign refers to is missing or damaged
├── SettingError            an environment variable has a value that cannot be used (ValueError)
├── ProposalError           no point could be proposed
│   └── SpaceExhaustedError every allowed setting has been proposed
├── AccessError             who asks over HTTP has no valid token, or not the role (PermissionError)
├── ServerError             a daemon's HTTP cannot be reached, or answers as no daemon does
└── MissingExtraError       an optional package is not installed (ImportError)
```
"""

from __future__ import annotations


class LabwrightError(Exception):
    """Root of all errors raised on purpose; `exit_code` is what the command line returns for it."""

    exit_code = 1


class FaultsError(LabwrightError):
    """What was given is wrong; `faults` holds one line per fault, each naming place, value, expectation and remedy."""

    exit_code = 2

    def __init__(self, faults: list[str]) -> None:
        self.faults = faults
        super().__init__("\n".join(faults))


class FileFaultsError(FaultsError):
    """A file is wrong."""


class FormFaultsError(FaultsError):
    """An answer to a task is wrong."""


class UnknownNameError(LabwrightError, KeyError):
    """A name or id that the store or the lab does not know."""

    exit_code = 2

    def __str__(self) -> str:
        return str(self.args[0]) if self.args else "unknown name"


class IllegalTransitionError(LabwrightError, ValueError):
    """A status was asked to change in a way the lifecycle table does not allow."""


class ConflictError(LabwrightError):
    """What is asked contradicts what the store holds."""

    exit_code = 2


class NothingYetError(ConflictError):
    """What is asked for rests on results, and there are none yet."""


class CampaignLockedError(LabwrightError):
    """Another controller holds this campaign."""

    exit_code = 4


class StoreError(LabwrightError):
    """The store cannot be reached, read or written."""

    exit_code = 5


class PoolError(LabwrightError):
    """The list of candidates that a campaign refers to is missing or damaged."""

    exit_code = 5


class SettingError(LabwrightError, ValueError):
    """An environment variable has a value that cannot be used."""

    exit_code = 2


class ProposalError(LabwrightError):
    """No point could be proposed."""


class SpaceExhaustedError(ProposalError):
    """Every allowed setting has been proposed already."""


class AccessError(LabwrightError, PermissionError):
    """Who asks over HTTP has no valid token, or not the role that it takes."""

    exit_code = 2


class ServerError(LabwrightError):
    """A daemon's HTTP cannot be reached, or answers as no daemon does."""


class MissingExtraError(LabwrightError, ImportError):
    """An optional package is needed and absent; the message holds the command that installs it."""

    exit_code = 2

    def __init__(self, package: str, extra: str, purpose: str) -> None:
        super().__init__(
            f"{purpose} needs the package {package!r}, which is not installed: pip install 'labwright[{extra}]'"
        )
