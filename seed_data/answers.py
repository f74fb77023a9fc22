"""What the demo's site staff wrote into the forms: values that pass the edit checks, and some that do not."""

from __future__ import annotations

import random
from collections.abc import Mapping
from datetime import date, timedelta
from typing import Final

from seed_data.phantom.identities import Patient
from seed_data.story import VisitStory

Row = dict[str, str]
Answers = dict[str, dict[str, Row]]
ONE: Final = "1"
_PLACES: Final = {"lung": "right upper lobe", "liver": "liver, segment VI", "node": "mediastinal lymph node"}


def _one(**groups: Mapping[str, str]) -> Answers:
    return {name: {ONE: {k: v for k, v in row.items() if v}} for name, row in groups.items()}


def _sizes(visit: VisitStory) -> list[tuple[str, int]]:
    return [(lesion.site, round(lesion.diameter_mm)) for images in visit.images for lesion in images.lesions]


def answers(  # noqa: PLR0917 (a form, where, when, who, and the story around it)
    form: str, key: str, day: date, patient: Patient, visits: Mapping[str, VisitStory], rng: random.Random
) -> Answers:
    """Give the values of one form of one visit, ``key``, of a person at a day."""
    visit = visits[key]
    makers = {
        "DM": lambda: _demographics(day, patient),
        "IE": lambda: _one(IE={"IEDAT": day.isoformat(), "IEYN": "Y"}),
        "MH": lambda: _history(day, rng),
        "VS": lambda: _vital_signs(key, day, patient, rng),
        "CM": lambda: _medication(day, rng),
        "IMG": lambda: _imaging(key, day, visit),
        "RS": lambda: _response(key, day, visits),
        "AE": lambda: _events(day, rng),
    }
    return makers[form]()


def _demographics(day: date, patient: Patient) -> Answers:
    consent = (day - timedelta(days=7)).isoformat()
    dm = {"BRTHYR": patient.birth_date[:4], "SEX": patient.sex, "RACE": "WHITE", "ETHNIC": "NOT HISPANIC OR LATINO"}
    if patient.sex == "F":
        dm["CHILDBEARING"] = "N"
    return _one(CONSENT={"RFICDAT": consent}, DM=dm)


def _history(day: date, rng: random.Random) -> Answers:
    first = day - timedelta(days=rng.randint(200, 700))
    mh = {
        "MHSTDAT": f"{first:%Y-%m}",
        "HISTOLOGY": rng.choice(["ADENOCARCINOMA", "SQUAMOUS CELL CARCINOMA"]),
        "STAGE": rng.choice(["IIIC", "IVA", "IVB"]),
        "ECOG": rng.choice(["0", "1"]),
        "BRAINMETS": "N",
    }
    found = _one(MH=mh, PRIOR={"PRIORYN": "Y"})
    later = first + timedelta(days=30)
    treatment = {"PRTRT": "Carboplatin and pemetrexed", "PRSTDAT": f"{later:%Y-%m}", "PRENDAT": f"{day:%Y}"}
    found["PRIORTRT"] = {"r1": treatment}
    return found


def _vital_signs(key: str, day: date, patient: Patient, rng: random.Random) -> Answers:
    results = {
        "WEIGHT_VSORRES": f"{patient.weight_kg + rng.uniform(-2, 1):.1f}",
        "TEMP_VSORRES": f"{rng.uniform(36.2, 37.1):.1f}",
        "TEMP_VSLOC": "EAR",
        "PULSE_VSORRES": str(rng.randint(62, 88)),
        "SYSBP_VSORRES": str(rng.randint(112, 138)),
        "DIABP_VSORRES": str(rng.randint(68, 86)),
        "BP_VSPOS": "SITTING",
    }
    if key == "SCR":
        results["HEIGHT_VSORRES"] = f"{patient.size_m * 100:.0f}"
    return _one(VS={"VSPERF": "Y", "VSDAT": day.isoformat()}, RESULTS=results)


def _medication(day: date, rng: random.Random) -> Answers:
    found = _one(CMYN={"CMYN": "Y"})
    rows = [("Paracetamol", "Back pain", "500", "mg", "PRN"), ("Pantoprazole", "Reflux", "20", "mg", "QD")]
    found["CM"] = {
        f"r{n}": {
            "CMTRT": name, "CMINDC": why, "CMDOSE": dose, "CMDOSU": unit, "CMDOSFRQ": often, "CMROUTE": "ORAL",
            "CMSTDAT": f"{day - timedelta(days=rng.randint(40, 300)):%Y-%m}", "CMONGO": "Y",
        }
        for n, (name, why, dose, unit, often) in enumerate(rows, 1)
    }  # fmt: skip
    return found


def _imaging(key: str, day: date, visit: VisitStory) -> Answers:
    if visit.slot_not_done:
        return _one(CT={"CT_PROCCUR": "N", "CT_PRREASND": visit.slot_not_done})
    found = _one(CT={"CT_PROCCUR": "Y", "CT_PRSTDAT": day.isoformat(), "CT_CONTRAST": "INTRAVENOUS"})
    if key in {"SCR", "UNS"}:
        with_mr = any(images.slot == "MR" for images in visit.images)
        mr = {"MR_PROCCUR": "Y", "MR_PRSTDAT": day.isoformat()} if with_mr else {"MR_PROCCUR": "N"}
        found["MR"] = {ONE: mr}
    return found


def _response(key: str, day: date, visits: Mapping[str, VisitStory]) -> Answers:
    sizes = _sizes(visits[key])
    if not sizes:
        return _one(RS={"RSPERF": "N"})
    found = _one(RS={"RSPERF": "Y", "RSDAT": day.isoformat()})
    found["TARGETS"] = {
        f"r{n}": {"TULOC": _PLACES[site], "LDIAM_TRORRES": str(size)} for n, (site, size) in enumerate(sizes, 1)
    }
    total = sum(size for _site, size in sizes)
    response = {"SUMDIAM_TRORRES": str(total)}
    if key != "SCR":
        target = _judge(total, key, visits)
        response |= {
            "NEWLESION": "N",
            "TRGRESP_RSORRES": target,
            "NTRGRESP_RSORRES": "NON-CR/NON-PD",
            "OVRLRESP_RSORRES": target,
        }
    found["RESPONSE"] = {ONE: response}
    return found


def _judge(total: int, key: str, visits: Mapping[str, VisitStory]) -> str:
    """Give the target response as the site saw it (RECIST 1.1: 30 % below baseline, 20 % and 5 mm above nadir)."""
    sums = {name: sum(size for _site, size in _sizes(story)) for name, story in visits.items()}
    names = list(visits)
    before = [sums[name] for name in names[: names.index(key)] if sums[name]]
    if not before:
        return "NE"
    nadir = min(before)
    if total >= 1.2 * nadir and total - nadir >= 5:
        return "PD"
    return "PR" if total <= 0.7 * before[0] else "SD"


def _events(day: date, rng: random.Random) -> Answers:
    found = _one(AEYN={"AEYN": "Y"})
    found["AE"] = {
        "r1": {
            "AETERM": rng.choice(["Fatigue", "Nausea", "Rash on the forearms"]),
            "AESTDAT": f"{day - timedelta(days=rng.randint(5, 30)):%Y-%m-%d}",
            "AEONGO": "Y", "AESEV": "MILD", "AESER": "N", "AEREL": "Y", "AEACN": "DOSE NOT CHANGED",
            "AEOUT": "RECOVERING/RESOLVING",
        }
    }  # fmt: skip
    return found


def with_open_checks(form: str, found: Answers) -> Answers:
    """Make values that a soft and a hard check object to."""
    if form == "VS" and "RESULTS" in found:
        found["RESULTS"][ONE] |= {"SYSBP_VSORRES": "118", "DIABP_VSORRES": "124", "TEMP_VSORRES": "39.4"}
    if form == "IMG" and "CT" in found:
        found["CT"][ONE]["CT_CONTRAST"] = "NONE"
    return found
