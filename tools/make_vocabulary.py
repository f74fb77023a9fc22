"""Makes the package's list of words that name nobody, from the dictionaries that pydicom carries.

Usage: python tools/make_vocabulary.py

Words come from the names of attributes and UIDs (PS3.6) and from the meanings of coded concepts (PS3.16), without
the breeds of animals, which are full of the names of people and places; ``ADDED`` holds what scanners and people
write besides, ``NAMES`` the family and given names that the dictionaries hold by chance.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final, cast

from pydicom._dicom_dict import DicomDictionary
from pydicom._uid_dict import UID_dictionary
from pydicom.sr._concepts_dict import concepts

TARGET = Path(__file__).parent.parent / "trialimg" / "dicom" / "data" / "words.txt"

_WORD: Final = re.compile(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])|[A-Za-z]+")
_SCHEMES: Final = ("DCM", "SCT", "NCIt", "RADLEX", "UCUM", "LN", "IBSI", "FMA", "MDC", "NEU")
_BREEDS: Final = re.compile(r"\b(breed|animal|cattle|sheep|goat|pig|horse|pony|cat|dog|chicken|duck)\b", re.IGNORECASE)

ADDED: Final = """
    adult algo angio anon anonymized apl aquilion asl asymx asymy auto avanto axial axials background biograph blue
    bmatrix bo bold bolus borelocal bowtie brms bw cad card carm caudal cbf cbv cc cerebral chest cine clin cm cmos
    col compressed contrast cor coronal cran cranial csf cspine cst ct cta cv cw db dcmqi dcmjs dcmr dcmtk dcom deriv
    diff dixon doublet drum dt dti dwi dx dyn dynamic early ecg elec ep epi epifl export fast fat fcr feature fid fil
    filter fix flair flash flat fov foot frfse fs fse fl ge gems geiis gems gr grad gradient gre grid grappa green gt
    gtv haste head headneck hd helical helix hf hl hnsf hu icd image images in inj injection intera inverse iec iowa
    ir ismrm isocenter isocentric jpeg jpegls kernel kv kvp kw label lan lat late lateral lava left leg liver ll lo
    loc localiser localizer localizers long low lpo lao lps lung lungs mag map mapit mask med mediastinum medical mip
    mlcx mlcy mlo moco modality monochrome mosaic motion mpr mprage mr mra mrs ms mu multicoil native nd neck neuro nl
    nm no none norm normal normalized nrgy ob obl oblique offis on or orange orig organ out pa pancreas pat patient pd
    pelvis perf perfusion petct pfp pff phase philips phantom pixelmed plain planar post pre prep prescan private
    prone proton pseudocontinuous ptv pulmonary purple qin qiicr qa rao rapid rcbf rcbv recon rec recist red rel
    reconstruction reformat ref removed report resp rest rf rgb rm roi routine rpo rr rv rwv sag sagittal sbrt scan
    scano scanogram scanoscope scout se sel sen sense ser series siemens single sk slab slice slices sm sms smr sn snm
    soft sol sp spair spc spin spine spir srt ss standard static std stir study supine survey suv suvbw suvlbm sw swi
    syn sync syngo t tag tcs test test tfe thick thin thk thorax time tirm to toshiba tof topo topogram tra trace
    trans transversal transverse trig tse tumor tumour ub uid undefined unknown upper us ute venous vibe view vol
    volume vr water wb wedge whole window wo with without work wsd xa xr xray ybr ycbcr yes zoom zte apparent avg
    brain breath calc coefficient copied copy delayed deriv document equilibrium expiration fine follow followup free
    hepatic hold inspiration isotropic non nonrigid portal precontrast postcontrast precon postcon propeller repeat
    reslice rotating sharp smooth sub subtraction t te ti tr triggered unenhanced enhanced white black gray grey
    yellow cyan magenta pink brown headfirst feetfirst hfs ffs hfp ffp hfdr hfdl ffdr ffdl first second third fourth
    fifth sixth rtplan rtstruct rtdose rtimage manu portrait landscape riesz elliptical stim tiled sparse iso srgb
    contains inferred pname uidref scoord tcoord separate unverified labelmap semiautomatic polyline unapproved port
    grid wise descendants descendents square millimeter millimetre milliseconds msec sec seconds minutes hours unary
    quarter echocardiogram carotid carotids oberbauch abdominal becken kopf hals schaedel knie header slicer editor
    ucum umls ibsi scpecg rfc sectra fuji fujifilm pmp gap kakadu openjpeg libjpeg jasper gdcm lead technologies inc
    mitra ctmr ncit creator created version ijg pegasus aware dcmtk imagemagick photoshop dapi om annotations org http
    https www com github codes publishing coding scheme schemes ris risc hologic agfa kodak canon esaote mindray
    samsung hitachi shimadzu varian elekta january february march april june july august september october november
    december
"""

NAMES: Final = """
    abraham adam adams albert alexander allen anderson andrew anna anthony arnold bailey baker barbara barnes bennett
    benjamin bernard bruce bryant burns butler campbell carl carlos carter charles charlotte chen christian clark cole
    collins cooper cox craig cruz dan daniel david davis diaz douglas earl edward edwards elizabeth ellis emma eric
    ernest evans fisher ford foster francis frank fred gabriel garcia george gibson gordon graham grant gray
    griffin hamilton hans harris harrison harry harvey hayes henry hughes hunter ibrahim jack jackson jacob jacobs
    james jan jane jason jean jeffrey jennifer jerry jessica jesus jim joe johann john johnson jones jordan jorge jose
    joseph joshua juan julia karl karen kelly kennedy kenneth kevin kim kumar larry laura lawrence lee leo leon lewis
    li lin linda lisa lopez louis luis marcus margaret maria marie mark marshall martin martinez mary mason matthew
    max mccoy meyer michael miguel miller mitchell mohamed morgan morris muller murphy murray myers nelson nguyen
    nicholas nicolas olson oscar otto owens parker patel patricia patrick paul perez peter peterson philip
    phillips pierre powell ralph ramirez reed reynolds richard richards richardson rivera robert roberts robertson
    robinson rodriguez rogers roger ronald rose ross russell ruth ryan sam samuel sanchez sanders sandra sarah schmidt
    schneider scott sean shaw simmons simon simpson singh smith stanley stephen steven stevens stewart sullivan susan
    taylor theodore thomas thompson tom torres tucker turner victor vincent wagner walker wallace walter wang ward
    warren washington watson weber wells william williams wilson wong wood woods wright young zhang zhao
"""


def said() -> Iterator[str]:
    """Give every name and meaning of the dictionaries."""
    for _vr, _vm, name, _retired, keyword in DicomDictionary.values():
        yield name
        yield keyword
    for name, *_rest in UID_dictionary.values():
        yield name
    for scheme in _SCHEMES:
        named = cast("Mapping[str, Mapping[str, tuple[str, list[int]]]]", concepts[scheme])
        for keyword, codes in named.items():
            for meaning, _contexts in codes.values():
                if not _BREEDS.search(meaning):
                    yield keyword
                    yield meaning


def words() -> list[str]:
    """Give all words in small letters, in their order."""
    found = {word.lower() for text in said() for word in _WORD.findall(text)}
    return sorted((found - set(NAMES.split())) | set(ADDED.split()))


def main(arguments: list[str]) -> int:
    """Write the package data."""
    if arguments:
        print(__doc__)
        return 64
    TARGET.write_text("\n".join(words()) + "\n", encoding="ascii")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
