# SPDX-License-Identifier: GPL-3.0-or-later
# Turns guest.sh into rows of C, { "WORDS", "PROGRAM" }: without comments and indentation, a function on
# one line, because a console costs time for each byte and wakes the shell for each line. A comment
# "#= WORD..." begins a piece that is sent only when a command has one of these words. Each piece fits a
# terminal's input queue, which drops what comes after 4095 unread bytes.
function emit()
{
	printf "{ \"%s\", \"%s\" },\n", words, piece
	if (size > 3900) {
		print "program.awk: a piece of " size " bytes is too long for a terminal's queue" >"/dev/stderr"
		exit 1
	}
	piece = ""
	size = 0
}
function add(text)
{
	size += length(text) + 1
	gsub(/\\/, "\\\\&", text)
	gsub(/"/, "\\\"", text)
	piece = piece text "\\n"
}
# What stands between two joined lines: nothing where the first is not yet a whole command.
function glue(before, after)
{
	if (before ~ /(^|[ ;])(\{|do|then|else|in)$/ || before ~ /(;;|&|\|)$/ || before ~ /^[^($]*\)$/ ||
	    after ~ /^;;/)
		return " "
	return ";"
}
/^#= / {
	emit()
	words = substr($0, 4)
}
/^[ \t]*#/ || /^[ \t]*$/ { next }
{ sub(/^\t+/, "") }
/^[a-z]+\(\) \{$/ {
	joined = last = $0
	next
}
joined != "" {
	joined = joined glue(last, $0) $0
	last = $0
	if ($0 == "}" && --depth < 0) {
		add(joined)
		joined = ""
		depth = 0
	} else if ($0 == "{") {
		depth++
	} else if ($0 ~ /^} /) {
		depth--
	}
	next
}
{ add($0) }
END { emit() }
