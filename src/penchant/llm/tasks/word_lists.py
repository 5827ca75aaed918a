"""English words that a text about a person may hold, or may not, whatever it was made of."""

import re

_COUNTED = "two three four five six seven eight nine ten eleven twelve"
NUMBERS = {word: float(number) for number, word in enumerate(_COUNTED.split(), 2)} | {
    "twice": 2.0,
    "dozen": 12.0,
    "twenty": 20.0,
    "thirty": 30.0,
    "forty": 40.0,
    "fifty": 50.0,
    "hundred": 100.0,
    "hundreds": 100.0,
    "thousand": 1000.0,
    "thousands": 1000.0,
    "million": 1e6,
}
"""Numbers in words; "one" is a pronoun too often."""

_EXPLAINING = """
a about after again against all also always an and are as at be because been before being best both
bought but by choice chose clicked did do each else even ever every find following for from good
great had has have having here i in interest interests into is it item items just kind kinds last
latest less like liked likes list listened lists looked lots made mainly many me mixed more most
mostly much my near never not now of often on once only or other our over played plus rated read
really recent recently same saved searched shared show shown similar since so some something such
than that the their them then there these they thing things this those through time times to
together up was watched we were what when where which while will with without work works would you
your yours
"""
ORDINARY = frozenset(_EXPLAINING.split())
"""Words that explain: an item that is called by such words alone is named by quotes only."""

PRIVATE = re.compile(
    r"^(?:sick(?:ness)?|ill(?:ness(?:es)?)?|diseas\w*|diagnos\w*|depress\w*|pregnan\w*|disab\w*|"
    r"addict\w*|alcoholi\w*|cancer|hiv|autis\w*|gay|lesbian|bisexual\w*|homosexual\w*|"
    r"heterosexual\w*|transgender\w*|sexual\w*|religio\w*|christian\w*|muslim\w*|islam\w*|"
    r"jew(?:s|ish)?|hindu\w*|buddhis\w*|atheis\w*|catholic\w*|politic\w*|democrats?|"
    r"republicans?|communis\w*|racial|ethnic\w*|immigra\w*|criminal\w*|divorced?|suicid\w*)$"
)
"""Words that tell of health, belief, origin or private life: for titles and tags alone."""
