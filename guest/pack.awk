# SPDX-License-Identifier: GPL-3.0-or-later
# Turns guest.sh and its parts into rows of C, { VERBS, "PROGRAM" }: without comments and indentation, in few lines,
# because on a console each byte costs time and each line wakes the shell. A comment "#= WORD..." begins a piece that
# is sent only when a request has one of these verbs. Each piece fits a terminal's input queue, which drops what
# follows 4095 unread bytes. A variable is a word after an underscore, as _name, and becomes a letter.
#
# If the session is killed, the user's shell behind it reads what is still on its way, and must not define these
# functions: each line does something only if MEMHP is set, and fits busybox's line editor, which drops what follows
# 1023 bytes.
#
# It is no shell parser: it takes only plain lines, each with all of its quotes closed, and functions whose first line
# is "name() {" and whose last is "}". It refuses anything else, with the line number.
function refuse(why)
{
	if (!failed)
		print FILENAME ":" FNR ": pack.awk: " why >"/dev/stderr"
	failed = 1
	exit 1
}
# The parts of a line: part[1] is outside quotes, part[2] is quoted and includes its quotes, and so on.
function split_quotes(text,    at, char, end)
{
	for (parts = 1; parts <= 99; parts++)
		part[parts] = ""
	parts = 1
	while (length(text)) {
		at = match(text, /\\.|['"]/)
		if (!at) {
			part[parts] = part[parts] text
			return
		}
		char = substr(text, at, 1)
		if (char == "\\") {
			part[parts] = part[parts] substr(text, 1, at + 1)
			text = substr(text, at + 2)
			continue
		}
		part[parts] = part[parts] substr(text, 1, at - 1)
		text = substr(text, at)
		end = char == "'" ? match(substr(text, 2), /'/) : match(substr(text, 2), /(^|[^\\])"/) + RLENGTH - 1
		if (RSTART == 0)
			refuse("a quote that does not end on its line")
		part[parts + 1] = substr(text, 1, end + 1)
		text = substr(text, end + 2)
		parts += 2
	}
}
# Refuse what this program does not understand.
function check_parts(    i, text)
{
	for (i = 1; i <= parts; i++) {
		text = part[i]
		if (i % 2 == 0 && text ~ /^"/ && text ~ /\$\([^(]/)
			refuse("a command in double quotes")
		if (i % 2 == 0 && text ~ /^'/)
			continue
		if (text ~ /`/)
			refuse("a command in backquotes")
		if (text ~ /\$\{?#?[a-z]/)
			refuse("a variable that is not marked")
		if (i % 2)
			check_plain(text, i == 1)
	}
	if (part[parts] ~ /\\$/)
		refuse("a line that goes on on the next")
	if (part[parts] ~ /[^;];$/)
		refuse("a semicolon at the end of a line")
}
# The same outside quotes.
function check_plain(text, is_first,    words, count, i, is_read)
{
	if (text ~ /<</)
		refuse("a document in the program")
	if (text ~ /(^|[ ;])#/)
		refuse("a comment behind a command")
	if (text ~ (is_first ? "(^|[ ;])[a-z][a-z0-9_]*=" : "[ ;][a-z][a-z0-9_]*="))
		refuse("a variable that is not marked")
	if (text ~ /\(\)/ && text !~ /^[a-z]+\(\) \{$/)
		refuse("a function that does not begin as \"name() {\"")
	count = split(text, words, /[ ;]+/)
	for (i = 1; i <= count; i++) {
		if (words[i] ~ /^(read|for|get)$/)
			is_read = words[i] == "read" ? 99 : 1
		else if (words[i] ~ /[<>&|]|^(do|in|then)$/)
			is_read = 0
		else if (is_read-- > 0 && words[i] !~ /^(-|$)/ && words[i] !~ /^(_[a-z]*|[0-9]+)$/)
			refuse("a variable that is not marked")
	}
}
# Arithmetic, also in quotes: without blanks; its variables are marked, too.
function arithmetic(text,    head, inner, plain, end)
{
	head = ""
	while ((end = index(text, "$(("))) {
		head = head substr(text, 1, end + 2)
		text = substr(text, end + 3)
		end = index(text, "))")
		if (!end)
			refuse("arithmetic that does not end on its line")
		inner = substr(text, 1, end - 1)
		text = substr(text, end)
		plain = inner
		gsub(/\$\{[^}]*\}|_[a-z]+|0x/, "", plain)
		if (plain ~ /[A-Za-z_]/)
			refuse("a variable that is not marked")
		gsub(/ /, "", inner)
		head = head inner
	}
	return head text
}
# Without blanks that separate nothing. A number before a ">" would be a descriptor.
function tight(text, is_behind_quote)
{
	if (is_behind_quote)
		sub(/^ >/, ">", text)
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
	return text
}
# A line as it is sent, except for the names of its variables.
function tightened(text,    i, out)
{
	text = arithmetic(text)
	split_quotes(text)
	check_parts()
	for (i = 1; i <= parts; i++) {
		if (part[i] == "''" && out ~ /=$/ && part[i + 1] ~ /^( |$)/)
			continue
		out = out (i % 2 ? tight(part[i], i > 1) : part[i])
	}
	return out
}
# Finds the next variable in "rest", and moves the text before it to "done".
function find_variable(    word, before)
{
	while (match(rest, /_[a-z]+/)) {
		word = substr(rest, RSTART, RLENGTH)
		done = done substr(rest, 1, RSTART - 1)
		rest = substr(rest, RSTART + RLENGTH)
		if (done !~ /[A-Za-z0-9_]$/ && rest !~ /^[A-Za-z0-9_]/)
			return word
		done = done word
	}
	done = done rest
	return ""
}
function count_variables(text,    word)
{
	rest = text
	done = ""
	while ((word = find_variable()) != "") {
		uses[word]++
		done = done word
	}
}
# A letter for each variable, the most used first; after the last letter, a letter and a digit.
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
	while ((word = find_variable()) != "")
		done = done letter[word]
	return done
}
function guarded(text,    lines, count, i, joined, all)
{
	count = split(text, lines, "\n") - 1
	for (i = 1; i <= count; i++) {
		if (length(lines[i]) > 1000)
			refuse("a function of " length(lines[i]) " bytes: " substr(lines[i], 1, 20) "...")
		joined = joined lines[i] ";"
		if (i < count && length(joined lines[i + 1]) < 1000)
			continue
		all = all "[ $MEMHP ]&&{ " joined "}\n"
		joined = ""
	}
	return all
}
# "VERB_BIT(VERB_SCAN) | ..." for the words of a piece; 0 if every request needs it.
function verbs(words,    list, count, i, bits)
{
	count = split(toupper(words), list, " ")
	for (i = 1; i <= count; i++)
		bits = bits (i > 1 ? " | " : "") "VERB_BIT(VERB_" list[i] ")"
	return count ? bits : "0"
}
function print_piece(words, text)
{
	if (length(text) > 3900)
		refuse("a piece of " length(text) " bytes is too long for a terminal's queue: " words)
	gsub(/\\/, "\\\\&", text)
	gsub(/"/, "\\\"", text)
	gsub(/\n/, "\\n", text)
	printf "{ %s, \"%s\" },\n", verbs(words), text
}
function add(text)
{
	count_variables(text)
	lines[pieces] = lines[pieces] text "\n"
}
# The separator of two joined lines: a blank if the first is not yet a whole command.
function glue(before, after)
{
	if (before ~ /;;$/ || is_pattern || after ~ /^;;/)
		return ""
	return before ~ /(^|[ ;])(\{|do|then|else|in)$/ || before ~ /(&|\|)$/ ? " " : ";"
}
# Is the line the pattern of a case? It ends with a ")" that has no "(".
function ends_pattern(    i, plain, opened, closed)
{
	for (i = 1; i <= parts; i += 2)
		plain = plain part[i]
	opened = gsub(/\(/, "(", plain)
	closed = gsub(/\)/, ")", plain)
	if (plain !~ /\)$/ || closed <= opened)
		return 0
	if (closed != opened + 1 || opened)
		refuse("a pattern with a command")
	return 1
}
FNR == 1 && NR != 1 { joined != "" && refuse("the function of the file before does not end") }
BEGIN { pieces = 1 }
/^#=/ {
	if ($0 !~ /^#= [a-z_]+( [a-z_]+)*$/ || joined != "")
		refuse("no verbs behind \"#=\", or inside a function")
	words[++pieces] = substr($0, 4)
	has_words = 1
}
/^[ \t]*#/ || /^[ \t]*$/ { next }
{
	if (NR != FNR && !has_words)
		refuse("a file that does not begin with \"#= VERB...\"")
	sub(/^\t+/, "")
	if (/\t/)
		refuse("a tab inside a line")
	line = tightened($0)
	begins = $0 ~ /^[a-z]+\(\) \{$/
	if (begins && joined != "")
		refuse("a function inside a function")
}
begins {
	joined = line
	last = $0
	is_pattern = 0
	depth = 1
	next
}
joined != "" {
	joined = joined glue(last, $0) line
	last = $0
	is_pattern = ends_pattern()
	for (i = 1; i <= NF; i++)
		depth += ($i == "{") - ($i == "}")
	if (!depth) {
		if ($0 != "}")
			refuse("a function that does not end with \"}\" alone")
		add(joined)
		joined = ""
	}
	next
}
/(^|[ ;])(if|for|while|until|case|do|then|else|elif|in|fi|done|esac|\{|\})($|[ ;])/ {
	refuse("outside of functions a line is a whole command")
}
{ add(line) }
END {
	if (!failed && joined != "")
		refuse("a function that does not end")
	if (failed)
		exit 1
	choose_letters()
	for (i = 1; i <= pieces; i++)
		print_piece(words[i], guarded(with_letters(lines[i])))
}
