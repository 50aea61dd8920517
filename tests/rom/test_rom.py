# SPDX-License-Identifier: MIT
"""What the image and the source must be, whatever it does when it runs."""

import ast
import os
import re
import shutil
import subprocess
from collections import Counter

import pytest

from harness import coverage, guest, pci
from harness.paths import ROOT

IMAGE_SIZE = 65536
SOURCE_FOLDERS = ("firmware", "include", "linker")

# Who may include whom, besides itself.
LAYERS = {
    "core": set(),
    "abi": {"core"},
    "hw": {"core", "abi"},
    "pci": {"core", "abi", "hw"},
    "tables": {"core", "abi", "hw"},
    "boot": {"core", "abi", "tables"},
}

# The integer instructions of a 486, by their names in Intel's syntax; Jcc and SETcc without theirs.
INSTRUCTIONS_OF_486 = set("""
    aaa aad aam aas adc add and arpl bound bsf bsr bswap bt btc btr bts call cbw cdq clc cld cli
    clts cmc cmp cmps cmpxchg cwd cwde daa das dec div enter hlt idiv imul in inc ins int int3
    into invd invlpg iret iretw jcxz jecxz jmp lahf lar lds lea leave les lfs lgdtd lgs lidtd lldt
    lmsw lods loop loope loopne lsl lss ltr mov movs movsx movzx mul neg nop not or out outs pop
    popa popaw popf popfw push pusha pushaw pushf pushfw rcl rcr ret retf rol ror sahf sar sbb
    scas sgdtd shl shld shr shrd sidtd sldt smsw stc std sti stos str sub test verr verw wbinvd
    xadd xchg xlat xor
""".split())
# What a 486 of QEMU has too, or what only runs where CPUID says that it is there; PAUSE is REP NOP,
# which an older CPU takes for a NOP.
INSTRUCTIONS_BESIDE = {"cpuid", "rdtsc", "rdmsr", "wrmsr", "pause"}
CONDITION = re.compile(r"(j|set)n?(a|ae|b|be|e|g|ge|l|le|o|p|s)")
PREFIX = re.compile(r"((rep|repz|repnz|lock|data16|addr16|[cdefgs]s) )+")


def run(*command, **options) -> str:
    """The output of a command that must succeed."""
    result = subprocess.run(command, capture_output=True, text=True, check=False, **options)
    assert result.returncode == 0, result.stdout + result.stderr
    return result.stdout


def build_copy(folder, *arguments) -> bytes:
    """The image as a fresh copy of the source in another folder makes it."""
    for name in (*SOURCE_FOLDERS, "tests", "bench"):
        shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "Makefile", folder)
    run("make", "-C", str(folder), "build/fw.bin", *arguments)
    return (folder / "build/fw.bin").read_bytes()


def test_size():
    """Exactly 64 KiB, for ever: QEMU migrates the ROM as a block of RAM."""
    assert (ROOT / "build/fw.bin").stat().st_size == IMAGE_SIZE


def test_room_by_part():
    """What the build prints adds up to what the image holds, 28 KiB at most."""
    said = run("sh", "-c", "nm --print-size build/fw.elf | awk -f linker/use.awk", cwd=ROOT)
    numbers = re.fullmatch(
        r"build/fw\.bin: 65536 bytes; code and read-only data (\d+) of 28672: steps (\d+), "
        r"hw (\d+), pci (\d+), tables (\d+), boot (\d+), sentences (\d+), rest (\d+)\n", said)
    assert numbers, said
    total, *parts = map(int, numbers.groups())
    assert all(part > 0 for part in parts) and sum(parts) == total <= 28672
    image = (ROOT / "build/fw.bin").read_bytes()
    symbols = {line.split()[-1]: int(line.split()[0], 16)
               for line in run("nm", str(ROOT / "build/fw.elf")).splitlines()}
    front = symbols["image_used_end"] - symbols["image_used_begin"]
    assert total == front + symbols["reset_code_used"]
    assert set(image[1024 + front : -256]) == {0xCC}  # nothing else between it and the reset code


def test_sections():
    """Nothing that changes, nothing that somebody would have to run, copy or relocate."""
    sizes = {fields[0]: int(fields[1]) for line in
             run("size", "-A", str(ROOT / "build/fw.elf")).splitlines()
             if len(fields := line.split()) == 3 and fields[1].isdecimal()}
    used = {name for name, size in sizes.items() if size != 0}
    assert used == {".anchor_window", ".text", ".rodata", ".reset16", ".reset_vector"}


def test_same_bytes_from_any_folder(tmp_path):
    """Neither the folder's name nor the time nor a second build changes a byte."""
    first = build_copy(tmp_path / "a")
    second = build_copy(tmp_path / "another folder with a longer name")
    assert first == second == (ROOT / "build/fw.bin").read_bytes()


def test_x86_64_cross_compiler(tmp_path):
    """Named by CROSS_COMPILE, as on another CPU; Debian's own compiler has that name too."""
    assert build_copy(tmp_path, "CROSS_COMPILE=x86_64-linux-gnu-") == \
        (ROOT / "build/fw.bin").read_bytes()


def test_one_line_without_a_compiler(tmp_path):
    """Where nothing makes 32-bit code, one line says what to install."""
    tools = tmp_path / "bin"
    tools.mkdir()
    for program in ("make", "sh", "printf", "echo"):
        (tools / program).symlink_to(shutil.which(program))
    result = subprocess.run(["make", "-C", str(ROOT), "build/fw.bin"], capture_output=True,
                            text=True, check=False, env={"PATH": str(tools)})
    assert result.returncode != 0
    complaints = [line for line in result.stderr.splitlines() if "***" in line]
    assert len(complaints) == 1 and "No compiler for 32-bit x86 found: install" in complaints[0]


def test_no_32_bit_headers_are_needed():
    """Every header that the ROM is compiled from is the project's own."""
    makefiles = list((ROOT / "build/rom").rglob("*.d"))
    assert makefiles
    for path in makefiles:
        for name in path.read_text(encoding="utf-8").replace("\\\n", " ").split():
            name = name.rstrip(":")
            assert name.startswith(("build/", "firmware/", "include/")) or name == "Makefile", name


def test_symbols():
    """No library function, no global that changes, no weak reference."""
    for line in run("nm", "-C", str(ROOT / "build/fw.elf")).splitlines():
        kind, name = line.split(maxsplit=2)[-2:] if line[0] == " " else line.split(maxsplit=2)[1:]
        assert kind not in "UwdDbB", f"{name}: {line}"


def instructions(*arguments) -> list[tuple[str, str]]:
    """Name and operands of each instruction in a section, without prefixes and runs of zeros."""
    text = run("objdump", "-d", "--no-show-raw-insn", *arguments, str(ROOT / "build/fw.elf"))
    found = (PREFIX.sub("", line.split("\t", 1)[1]) for line in text.splitlines()
             if "\t" in line and not line.endswith("\t..."))
    return [(name, operands) for name, _, operands in (f.partition(" ") for f in found)]


def test_instructions():
    """None is newer than the oldest CPU that QEMU has, which itself refuses few of the newer ones.

    The 16-bit code has its data between its instructions and is not looked at.
    """
    code = instructions("-j", ".text", "-M", "intel")
    assert len(code) > 5000
    allowed = INSTRUCTIONS_OF_486 | INSTRUCTIONS_BESIDE
    newer = {f"{name} {operands}" for name, operands in code
             if name not in allowed and not CONDITION.fullmatch(name)}
    newer |= {f"{name} {operands}" for name, operands in code if name == "nop" and operands}
    assert not newer, f"{len(newer)} that a 486 lacks: {sorted(newer)[:10]}"


@pytest.mark.parametrize("layer", LAYERS)
def test_include_layers(layer):
    """A folder includes only what lies below it."""
    allowed = LAYERS[layer] | {layer}
    for folder in ("include", "firmware"):
        for path in (ROOT / folder / layer).glob("*.[hc]pp"):
            for name in re.findall(r'#include "(\w+)/', path.read_text(encoding="utf-8")):
                assert name in allowed, f"{path} includes {name}"


def test_every_sentence_is_in_the_image():
    """A sentence that the image does not hold is dead."""
    image = (ROOT / "build/fw.bin").read_bytes()
    assert [n for n, s in coverage.formats().items() if s.encode() not in image] == []


@pytest.mark.parametrize("name", ["reset.S", "processor.S"])
def test_assembly_is_short(name):
    """What is no service to a guest is under 100 lines of instructions."""
    lines = (ROOT / f"firmware/{name}").read_text(encoding="utf-8").splitlines()
    code = [line for line in lines if re.match(r"\s+[a-z]", line) and not line.strip().startswith(".")]
    assert len(code) < 100, len(code)


@pytest.mark.parametrize("folder", sorted({path.parent for path in (ROOT / "tests").rglob(
    "test_*.py")}), ids=lambda path: path.name)
def test_no_test_hides_another(folder):
    """Of two with one name in a file, Python keeps the last, and pytest does not see the first."""
    hidden = []
    for path in folder.glob("test_*.py"):
        body = ast.parse(path.read_text(encoding="utf-8")).body
        names = [part.name for part in body if isinstance(part, ast.FunctionDef)]
        hidden += [f"{path.name}: {name}" for name, count in Counter(names).items() if count > 1]
    assert not hidden


def test_format():
    """clang-format has nothing to say."""
    sources = [str(path) for folder in ("bench", "firmware", "include") for path in
               (ROOT / folder).rglob("*.[hc]pp")]
    run("clang-format", "--dry-run", "-Werror", *sources, cwd=ROOT)


def test_tidy():
    """clang-tidy has nothing to say."""
    sources = [str(path) for path in (ROOT / "firmware").rglob("*.cpp")]
    run("clang-tidy", "--quiet", *sources, "--", "-std=c++20", "-m32", "-ffreestanding",
        "-nostdinc++", f"-I{ROOT}/include", cwd=ROOT, env={**os.environ})


def is_prepared(folder, machine, firmware, args=()) -> bool:
    """Whether all BARs that a Linux finds have places; none has where not."""
    args = ["-device", "virtio-rng-pci", *args]
    found = pci.Tree(guest.boot(folder, machine, args, words="buses", firmware=firmware))
    missing = found.missing()
    assert missing in (set(), set(found.bars())), missing
    return not missing


def test_image_that_prepares_everything(tmp_path):
    """PREPARE=full changes the image, what Linux finds, and back; another word is refused."""
    lean = ROOT / "build/fw.bin"
    image = build_copy(tmp_path, "PREPARE=full")
    assert image != lean.read_bytes() and len(image) == IMAGE_SIZE
    full = tmp_path / "build/fw.bin"
    asked = ("-fw_cfg", "name=opt/org.mayfly/prepare,string=lean")
    for machine in ("pc", "q35"):
        assert is_prepared(tmp_path, machine, full)
        assert not is_prepared(tmp_path, machine, full, asked)
        assert not is_prepared(tmp_path, machine, lean)
    run("make", "-C", str(tmp_path), "build/fw.bin")
    assert full.read_bytes() == lean.read_bytes()
    result = subprocess.run(["make", "-C", str(tmp_path), "PREPARE=most"], capture_output=True,
                            text=True, check=False)
    assert result.returncode != 0 and 'PREPARE is lean or full, not "most"' in result.stderr
