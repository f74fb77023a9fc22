"""Makes the package's list of words that name nobody, from the dictionaries that pydicom carries.

Usage: python tools/make_vocabulary.py

Words come from the names of attributes and UIDs (PS3.6) and from the meanings of coded concepts (PS3.16), without
the breeds of animals, which are full of the names of people and places; ``ADDED`` and ``vocabulary.txt`` hold what
scanners and people write besides, ``NAMES`` the family and given names that the dictionaries hold by chance: of common
names, of physicians after whom something is called, and of months, which make a date of a number.
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

LISTED: Final = Path(__file__).parent / "vocabulary.txt"

_WORD: Final = re.compile(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])|[A-Za-z]+")
_SCHEMES: Final = ("DCM", "SCT", "NCIt", "RADLEX", "UCUM", "LN", "IBSI", "FMA", "MDC", "NEU")
_BREEDS: Final = re.compile(r"\b(breed|animal|cattle|sheep|goat|pig|horse|pony|cat|dog|chicken|duck)\b", re.IGNORECASE)

ADDED: Final = """
    adult algo angio anon anonymized apl aquilion asl asymx asymy auto avanto axial axials background biograph
    blue bmatrix bo bold bolus borelocal bowtie brms bw cad card carm caudal cbf cbv cc cerebral chest cine clin
    cm cmos col compressed contrast cor coronal cran cranial csf cspine cst ct cta cv cw db dcmqi dcmjs dcmr dcmtk
    dcom deriv diff dixon doublet drum dt dti dwi dx dyn dynamic early ecg elec ep epi epifl export fast fat fcr
    feature fid fil filter fix flair flash flat fov foot frfse fs fse fl ge gems geiis gr grad gradient gre grid
    grappa green gt gtv haste head headneck hd helical helix hf hl hnsf hu icd image images in inj injection
    intera inverse iec iowa ir ismrm isocenter isocentric jpeg jpegls kernel kv kvp kw label lan lat late lateral
    lava left leg liver ll lo loc localiser localizer localizers long low lpo lao lps lung lungs mag map mapit
    mask med mediastinum medical mip mlcx mlcy mlo moco modality monochrome mosaic motion mpr mprage mr mra mrs ms
    mu multicoil native nd neck neuro nl nm no none norm normal normalized nrgy ob obl oblique offis on or orange
    orig organ out pa pancreas patient pd pelvis perf perfusion petct pfp pff phase philips phantom pixelmed plain
    planar post pre prep prescan private prone proton pseudocontinuous ptv pulmonary purple qiicr qa rao rapid
    rcbf rcbv recon rec recist red rel reconstruction reformat ref removed report resp rest rf rgb rm roi routine
    rpo rr rv rwv sag sagittal sbrt scan scano scanogram scanoscope scout se sel sen sense ser series siemens
    single sk slab slice slices sm sms smr sn snm soft sp spair spc spin spine spir srt ss standard static std
    stir study supine survey suv suvbw suvlbm sw swi syn sync syngo t tag tcs test tfe thick thin thk thorax time
    tirm to toshiba tof topo topogram tra trace trans transversal transverse trig tse tumor tumour ub uid
    undefined unknown upper us ute venous vibe view vol volume vr water wb wedge whole window wo with without work
    wsd xa xr xray ybr ycbcr yes zoom zte apparent avg brain breath calc coefficient copied copy delayed document
    equilibrium expiration fine follow followup free hepatic hold inspiration isotropic non nonrigid portal
    precontrast postcontrast precon postcon propeller repeat reslice rotating sharp smooth sub subtraction te ti
    tr triggered unenhanced enhanced white black gray grey yellow cyan magenta pink headfirst feetfirst hfs ffs
    hfp ffp hfdr hfdl ffdr ffdl first second third fourth fifth sixth rtplan rtstruct rtdose rtimage portrait
    landscape riesz elliptical stim tiled sparse iso srgb contains inferred pname uidref scoord tcoord separate
    unverified labelmap semiautomatic polyline unapproved port wise descendants descendents square millimeter
    millimetre milliseconds msec sec seconds minutes hours unary quarter echocardiogram carotid carotids oberbauch
    abdominal becken kopf hals schaedel knie header slicer editor ucum umls ibsi scpecg rfc sectra fuji fujifilm
    pmp gap kakadu openjpeg libjpeg jasper gdcm lead technologies inc ctmr ncit creator created version ijg
    pegasus aware imagemagick photoshop dapi om annotations org http https www com github codes publishing coding
    scheme schemes ris risc hologic agfa kodak canon esaote mindray samsung hitachi shimadzu varian elekta
"""

NAMES: Final = """
    abraham ada adam adams albers albert alexander allen anderson andor andrew ani anna anthony april arnold
    ashman aspen august bailey baker barbara barnes barrett bauer baum benjamin bennett berlin bernard bertel
    blalock bode borg bos boston bouvier boyd brand brenner brittany brown bruce bryant bull burman burns butler
    cairn caldwell cam campbell carl carlos carmine carter celestine chamberlain chang charles charlotte chen chi
    christian clark clements cobb cole colin collie collins cooper cousin cox craig cruz damus dan danelius daniel
    david davis december diamond diaz dodd douglas dower duke dunlap earl edd edward edwards elizabeth ella ellis
    emma erb eric erie eriksen ernest evans ewing fallot february ferguson fisher fitzpatrick fontan ford foster
    fox francis frank fred friedman fuchs gabriel garcia garnet garth gaynor geary george gibson glenn goldstein
    gordon graham grant gray griffin grunwald haas hall hamilton hans hansel hardi harper harris harrison harry
    hart harvey hayes healy hellman henry hickey hill hodges hodgkin hoffman holly hough hsieh hughes hull hunter
    ibrahim ida jack jackson jacob jacobs james jan jane january janus jason jean jeffrey jennifer jerry jessica
    jesus jim joe johann john johnson jones jordan jorge jose joseph joshua juan judd julia july june karen karl
    kaye kelly kemp kennedy kenneth kerley kerry kevin kim king kovacs kumar larry laura lawrence lee leo leon
    leonard levine lewis li likar lin linda lindblom lisa lopez lorenz louis luis lutz mac magnus mallory manu
    manx march marcus marfan margaret maria marie mark marquardt marshall martin martinez mary mason matthew max
    may mayer mayo mccoy mercer merchant mertz merz meyer michael michel miguel miles miller mitchell mitra
    mohamed moles moore moran morgan morris morrison muller murphy murray mustard myers nash naughton nelson
    nguyen nicholas nicolas nile norwood november nyberg october olga olinda olsen olson osborne oscar otto owens
    paget parker parkinson pat patel patricia patrick paul pearson pepper perez peter peterson philip phillips
    pierre pinto powell qin ralph ramirez rastelli raynaud reed reid reynolds rich richard richards richardson
    rivera roa robert roberts robertson robinson rodriguez roger rogers ronald rose rosen rosenberg ross russel
    russell ruth rutherford ryan sam samuel sanchez sanders sandra sarah scarlet schmidt schneider schuller
    schwartz scott sean senning sepp september shaw shepard sid simmons simon simpson singh singleton sky skye
    smith sol springer stanley stansel stecher stephen steven stevens stewart sullivan susan swanson tad taurus
    taussig taylor theodore thomas thompson timi tom torres towne tru tucker turner victor victoria vincent violet
    wagner walker wallace walls walter wang ward warren washington waters watson weber wells welsh william
    williams willis wilson winston winter wolf wong wood woods wright wynne york young zhang zhao zobel
"""


BOTH: Final = """
    ab ace add age ala alpha america amine an ang anon antero antra arch are artis as atlas author back ball bas
    basic bath bauch be beat beer begin best beta bins bite black blank block bo bones brain branch bravo bridge
    bright bud camp can canal cap carina carrier case central chin chip cid cisterna clear close colic colon
    comment con concha constant contra cord corona cross crystal da date day de deep deid delta din dixon doctor
    doppler dot drop drum dwi early echo ed eddy el ela ell en endo english era es ether ethyl ever fa fall fan
    fee feline field fit floor font foot french friend front fu gas gauge gene general german glass golden good
    grand gray green grey gross gu hand handler hd held hemi holder horn hour hu ica ii india ion ir iris irish
    italian japanese jasper jet job key kidney kit kopf kub la lad lan lao law lean leber less line list little lo
    long lot low lower lung lut ma made magen magna major male mater maximus media medic meta mets min minor more
    mu na nadir naf nail neo nickel nil norwegian octa om or oral orange org oris over pace page palm palmar pan
    pap para parent peer pellet per peri philips phoenix pi pia pin pink po post power prem press prior priors qsm
    ra rao ray read reader real reason red rein renders ridge ring ris rod roll room run sa sac sad sans se sec
    sem sen septi server sfr shade sharp short si side signa silver sister sita skip small smr snr solar sole son
    spring sr ss st stack star stock stone strong su summer sus tan te the theta ti tibetan tomo tone too topic
    toy trace true tu uc ui unique unknown uri uro us ute valid van vena vfa vi vial wall warmer wash water were
    west white wing wise yaw zero zeta
"""
"""Words that are names too and stay, each decided on: colours of the body and of a palette (white, black, green, gray),
parts of the body (head, hand, chin, palm, iris, colon), of machines and pictures (ring, room, stack, star, line), what
German, French and Spanish protocols need (kopf, bauch, leber, sans, con, rein), sequences and phases (dixon, bravo,
medic, fa, dwi), views (rao, ap), Greek letters, and ordinary words of the standard. They are searched for beside
another part of the patient's name (docs/residue.md)."""


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
    lines = LISTED.read_text(encoding="ascii").splitlines()
    listed = {word for line in lines if not line.startswith("#") for word in line.split()}
    return sorted((found - set(NAMES.split())) | set(ADDED.split()) | listed)


def main(arguments: list[str]) -> int:
    """Write the package data."""
    if arguments:
        print(__doc__)
        return 64
    TARGET.write_text("\n".join(words()) + "\n", encoding="ascii")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
