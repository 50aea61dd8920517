# SPDX-License-Identifier: MIT
# Prints how much of the image each part takes, from `nm --print-size`: the part is the namespace.

function value(hex,    i, sum) {
    for (i = 1; i <= length(hex); i++)
        sum = sum * 16 + index("0123456789abcdef", substr(hex, i, 1)) - 1
    return sum
}

$NF == "image_used_begin" { begin = value($1) }
$NF == "image_used_end" { total += value($1) - begin }
$NF == "reset_code_used" { total += value($1) }

# An address with several names is counted once.
NF == 4 && $1 >= "ffff0000" && !($1 in seen) {
    seen[$1]
    part = "steps"
    if (match($4, /^_ZNK?6mayfly(2hw|3pci|6tables|4boot|9sentences)/)) {
        part = substr($4, RSTART, RLENGTH)
        sub(/.*[0-9]/, "", part)
    }
    used[part] += value($2)
}

END {
    printf "build/fw.bin: 65536 bytes; code and read-only data %d of 28672:", total
    count = split("steps hw pci tables boot sentences", order, " ")
    for (i = 1; i <= count; i++) {
        printf " %s %d,", order[i], used[order[i]]
        total -= used[order[i]]
    }
    printf " rest %d\n", total
}
