"""`labwright campaign why`, `best`, `sensitivity`, `slice` and `forecast`: what the models say; seconds, and torch."""

from __future__ import annotations

from typing import Annotated

import typer

from controller.cli.completing import experiment_numbers, parameter_names
from controller.cli.options import CampaignName, Device, DeviceOption, Json, Store
from controller.cli.render import print_json, waiting
from controller.verbs.stores import find, store_urls

ASKING = "asking the models"


def why(
    campaign: CampaignName,
    number: Annotated[
        str | None,
        typer.Argument(
            metavar="[NUMBER]", help="Number or id of an experiment; by default the newest that the model proposed.",
            autocompletion=experiment_numbers,
        ),
    ] = None,
    store: Store = None,
    device: DeviceOption = Device.CPU,
    json: Json = False,
) -> None:
    """Explain why a point was proposed: exploring or exploiting, what was expected, its neighbours, what matters, what lost."""
    from controller.cli.reasons import print_why
    from controller.verbs.reasons import why as told_why

    with find(store_urls(store), campaign) as found, waiting(ASKING, quiet=json):
        told = told_why(found, number, device=device.value)
    print_json(told) if json else print_why(told)


def best(
    campaign: CampaignName, store: Store = None, device: DeviceOption = Device.CPU, json: Json = False
) -> None:
    """Tell which measured settings are best as the model believes, with 90 % intervals; outliers and drift."""
    from controller.cli.reasons import print_best
    from controller.verbs.reasons import believed_best

    with find(store_urls(store), campaign) as found, waiting(ASKING, quiet=json):
        told = believed_best(found, device=device.value)
    print_json(told) if json else print_best(told)


def sensitivity(
    campaign: CampaignName, store: Store = None, device: DeviceOption = Device.CPU, json: Json = False
) -> None:
    """Tell which parameters matter for what: total-effect Sobol' indices of the model, with 80 % intervals."""
    from controller.cli.reasons import print_sensitivity
    from controller.verbs.reasons import sensitivity as told_sensitivity

    with find(store_urls(store), campaign) as found, waiting(ASKING, quiet=json):
        told = told_sensitivity(found, device=device.value)
    print_json(told) if json else print_sensitivity(told)


def slice_campaign(
    campaign: CampaignName,
    parameter: Annotated[
        str,
        typer.Argument(metavar="PARAMETER", help="Name of a parameter.", show_default=False, autocompletion=parameter_names),
    ],
    through: Annotated[
        str | None,
        typer.Option(metavar="NUMBER", help="The experiment whose setting is held; by default the best.", show_default=False),
    ] = None,
    store: Store = None,
    device: DeviceOption = Device.CPU,
    json: Json = False,
) -> None:
    """Show what the model expects along one parameter, the others held: mean and 80 % band."""
    from controller.cli.reasons import print_slice
    from controller.verbs.reasons import slice_through

    with find(store_urls(store), campaign) as found, waiting(ASKING, quiet=json):
        told = slice_through(found, parameter, number=through, device=device.value)
    print_json(told) if json else print_slice(told)


def forecast(
    campaign: CampaignName,
    experiments: Annotated[
        int | None,
        typer.Option("--experiments", "-k", min=1, help="How many more; by default those left of the budget.", show_default=False),
    ] = None,
    by: Annotated[
        float | None, typer.Option("--by", help="An improvement whose probability is wanted too.", show_default=False)
    ] = None,
    worth: Annotated[
        float | None,
        typer.Option("--worth", help="What one experiment must bring at least; says when to stop.", show_default=False),
    ] = None,
    store: Store = None,
    device: DeviceOption = Device.CPU,
    json: Json = False,
) -> None:
    """Tell what further experiments will probably bring, by playing the campaign on functions drawn from its models."""
    from controller.cli.trust import print_forecast
    from controller.verbs.foreseeing import forecast as foresee

    with find(store_urls(store), campaign) as found, waiting(ASKING, quiet=json):
        told = foresee(found, experiments, by=by, worth=worth, device=device.value)
    if json:
        print_json(told)
    else:
        print_forecast(told)
