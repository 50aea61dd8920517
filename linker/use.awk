# SPDX-License-Identifier: MIT
# Prints how much of the image each part takes, from the linker's map.

function value(hex,    i, sum) {
    sum = 0
    for (i = 3; i <= length(hex); i++)
        sum = sum * 16 + index("0123456789abcdef", substr(hex, i, 1)) - 1
    return sum
}

# The address may stand on the line after a long section name.
/^Linker script and memory map/ { in_map = 1 }
in_map && $1 ~ /^\.(text|rodata|reset)/ { name = $1 }
in_map && match($0, /0x[0-9a-f]+ +0x[0-9a-f]+ build\/rom\/[^ ]+\.o$/) {
    split(substr($0, RSTART), field, " +")
    if (value(field[1]) < value("0xffff0000"))
        next
    part = field[3]
    sub(/^build\/rom\//, "", part)
    if (!sub(/\/.*/, "", part))
        part = "start"
    used[part] += value(field[2])
    total += value(field[2])
}
END {
    printf "build/fw.bin: 65536 bytes; code and read-only data %d of 24576:", total
    split("start core hw tables boot", order, " ")
    for (i = 1; i <= 5; i++)
        if (order[i] in used)
            printf " %s %d", order[i], used[order[i]]
    printf "\n"
}
