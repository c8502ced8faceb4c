# SPDX-License-Identifier: GPL-3.0-or-later
# Turns guest.sh into C string literals: no comments, no indentation, in pieces of less than 3 KB
# that end where a function ends, so that a shell can run each as it comes.
function emit()
{
	if (piece != "")
		printf "\"%s\",\n", piece
	piece = ""
	size = 0
}
/^[ \t]*#/ || /^[ \t]*$/ { next }
{
	sub(/^\t+/, "")
	size += length($0) + 1
	gsub(/\\/, "\\\\")
	gsub(/"/, "\\\"")
	piece = piece $0 "\\n"
}
/^}$/ && size > 2400 { emit() }
END { emit() }
