# SPDX-License-Identifier: GPL-3.0-or-later
# Turns guest.sh into rows of C, { "WORDS", "PROGRAM" }: without comments and indentation, in few lines,
# because a console costs time for each byte and wakes the shell for each line. A comment
# "#= WORD..." begins a piece that is sent only when a command has one of these words. Each piece fits a
# terminal's input queue, which drops what comes after 4095 unread bytes. Variables are named by a letter.
#
# When the session has been killed, what is on its way to it is read by the shell behind it, a person's, which must
# not get to know one of these functions: each line does something only where MEMHP is set, and fits the line editor
# of busybox, which drops what comes after 1023 bytes.
#
# Finds the next variable's name in "rest", and moves what comes before it to "done": behind a "$", before a
# "=", in arithmetic, or as what read, get and for assign to.
function find_variable(    word, before)
{
	while (match(rest, /[A-Za-z_][A-Za-z0-9_]*/)) {
		word = substr(rest, RSTART, RLENGTH)
		before = substr(rest, 1, RSTART - 1)
		if (before ~ /[;<&|()\n]/)
			assigned = 0
		done = done before
		rest = substr(rest, RSTART)
		if (word ~ /^[a-z]+$/ && is_variable(word))
			return word
		if (word == "_" && assigned)
			assigned--
		if (word ~ /^(read|get|for)$/ && done !~ /[-\/]$/)
			assigned = word == "read" ? 99 : 1
		done = done word
		rest = substr(rest, length(word) + 1)
	}
	done = done rest
	return ""
}
function is_variable(word,    text)
{
	if (done ~ /\$(\{#?)?$/)
		return 1
	if (done ~ /[-0-9.\/"]$/)
		return 0
	if (assigned) {
		assigned--
		return 1
	}
	if (substr(rest, length(word) + 1, 1) == "=")
		return done ~ /(^|[ ;\n])$/
	text = done
	sub(/.*\$\(\(/, "$((", text)
	return text ~ /^\$\(\(/ && text !~ /\)\)/
}
function count_variables(text,    word)
{
	rest = text
	done = ""
	assigned = 0
	while ((word = find_variable()) != "") {
		uses[word]++
		done = done word
		rest = substr(rest, length(word) + 1)
	}
}
# A letter for each, first for those that are used most, and where letters end a letter and a digit.
function choose_letters(    letters, best, word, i)
{
	letters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
	for (i = 0;; i++) {
		best = ""
		for (word in uses)
			if (!(word in letter) && (best == "" || uses[word] > uses[best] ||
						  (uses[word] == uses[best] && word < best)))
				best = word
		if (best == "")
			return
		letter[best] = substr(letters, i % 52 + 1, 1) (i < 52 ? "" : int(i / 52))
	}
}
function with_letters(text,    word)
{
	rest = text
	done = ""
	assigned = 0
	while ((word = find_variable()) != "") {
		done = done letter[word]
		rest = substr(rest, length(word) + 1)
	}
	return done
}
# Without blanks that part nothing, and empty quotes. A number before a ">" would be a descriptor.
function tightened(text)
{
	gsub(/=\047\047/, "=", text)
	gsub(/ </, "<", text)
	while (match(text, /[^0-9 ] >/))
		text = substr(text, 1, RSTART) substr(text, RSTART + 2)
	gsub(/ ;;/, ";;", text)
	gsub(/; /, ";", text)
	gsub(/ \|\| /, "||", text)
	gsub(/ \| /, "|", text)
	gsub(/\*\) /, "*)", text)
	gsub(/ && /, "\\&\\&", text)
	gsub(/\(\) \{/, "(){", text)
	gsub(/ \+ /, "+", text)
	gsub(/ \* /, "*", text)
	gsub(/ % /, "%", text)
	gsub(/ \/ /, "/", text)
	gsub(/ - 1\)/, "-1)", text)
	return text
}
function guarded(text,    lines, count, i, joined, all)
{
	count = split(text, lines, "\n") - 1
	for (i = 1; i <= count; i++) {
		joined = joined lines[i] ";"
		if (i < count && length(joined lines[i + 1]) < 1000)
			continue
		all = all "[ $MEMHP ]&&{ " joined "}\n"
		joined = ""
	}
	return all
}
# "VERB_BIT(VERB_SCAN) | ..." for the words of a piece; 0 where every request needs it.
function verbs(words,    list, count, i, bits)
{
	count = split(toupper(words), list, " ")
	for (i = 1; i <= count; i++)
		bits = bits (i > 1 ? " | " : "") "VERB_BIT(VERB_" list[i] ")"
	return count ? bits : "0"
}
function print_piece(words, text)
{
	if (length(text) > 3900) {
		print "pack.awk: a piece of " length(text) " bytes is too long for a terminal's queue" >"/dev/stderr"
		exit 1
	}
	gsub(/\\/, "\\\\&", text)
	gsub(/"/, "\\\"", text)
	gsub(/\n/, "\\n", text)
	printf "{ %s, \"%s\" },\n", verbs(words), text
}
function emit()
{
	words[++pieces] = next_words
}
function add(text)
{
	count_variables(text)
	lines[pieces] = lines[pieces] text "\n"
}
# What stands between two joined lines: nothing where the first is not yet a whole command.
function glue(before, after)
{
	if (before ~ /(^|[ ;])(\{|do|then|else|in)$/ || before ~ /(;;|&|\|)$/ || before ~ /^[^($]*\)$/ ||
	    after ~ /^;;/)
		return " "
	return ";"
}
BEGIN { emit() }
/^#= / {
	next_words = substr($0, 4)
	emit()
}
/^[ \t]*#/ || /^[ \t]*$/ { next }
{ sub(/^\t+/, "") }
/^[a-z]+\(\) \{$/ {
	joined = last = $0
	depth = 1
	next
}
joined != "" {
	joined = joined glue(last, $0) $0
	last = $0
	for (i = 1; i <= NF; i++)
		depth += ($i == "{") - ($i == "}")
	if (!depth) {
		add(joined)
		joined = ""
	}
	next
}
{ add($0) }
END {
	choose_letters()
	for (i = 1; i <= pieces; i++)
		print_piece(words[i], guarded(tightened(with_letters(lines[i]))))
}
