/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Amounts of memory as people write and read them. */
#include <ctype.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "lib/size.h"
#include "lib/util.h"

static const char units[] = "BKMGTPE";

/* The power of 1024 that @suffix names ("M", "MB", "MiB"), or -1. */
static int unit_power(const char *suffix)
{
	const char *unit = suffix[0] ? strchr(units, toupper((unsigned char)suffix[0])) : NULL;

	if (!unit)
		return -1;
	if (suffix[1] && (unit == units ||
			  (strcasecmp(suffix + 1, "iB") != 0 && strcasecmp(suffix + 1, "B") != 0)))
		return -1;
	return (int)(unit - units);
}

/* whole.fraction * 1024^power, exactly; NULL, or what is wrong with it. */
static const char *scale(const char *digits, size_t whole_len, size_t fraction_len, int power,
			 uint64_t *out)
{
	unsigned __int128 value = 0, denominator = 1;
	size_t i;

	for (i = 0; i < whole_len + fraction_len; i++) {
		value = value * 10 + (unsigned)(digits[i < whole_len ? i : i + 1] - '0');
		if (value > UINT64_MAX)
			return "it is too large";
		if (i >= whole_len)
			denominator *= 10; /* <= 10^20: the value would not have fitted */
		if (denominator > UINT64_MAX)
			return "it has too many digits";
	}
	value <<= 10 * power; /* < 2^(64 + 60) */
	if (value % denominator)
		return "it is no whole number of bytes";
	if (value / denominator > INT64_MAX)
		return "it is too large";
	*out = (uint64_t)(value / denominator);
	return NULL;
}

int size_parse(const char *text, uint64_t *size_bytes, struct err *err)
{
	size_t whole = strspn(text, "0123456789");
	size_t fraction = text[whole] == '.' ? strspn(text + whole + 1, "0123456789") : 0;
	const char *suffix = text + whole + (fraction ? fraction + 1 : 0);
	const char *wrong;
	uint64_t value;
	int power;

	if (text[0] == '-' || text[0] == '+') {
		err_set(err, ERR_USAGE, "bad size '%s': a size has no sign", text);
		return err_hint(err, "write a size such as 512M or 1.5G");
	}
	if (!whole || (text[whole] == '.' && !fraction)) {
		err_set(err, ERR_USAGE, "bad size '%s': not a number with a unit", text);
		return err_hint(err, "write a size such as 512M or 1.5G");
	}
	if (!*suffix && strspn(text, "0.") != strlen(text)) {
		err_set(err, ERR_USAGE, "bad size '%s': a unit is missing", text);
		return fraction ? err_hint(err, "write %sM for MiB or %sG for GiB", text, text)
				: err_hint(err, "write %sM for MiB or %sB for bytes", text, text);
	}
	power = *suffix ? unit_power(suffix) : 0;
	if (power < 0) {
		err_set(err, ERR_USAGE, "bad size '%s': unknown unit '%s'", text, suffix);
		return err_hint(err, "the units are B, K, M, G, T, P and E, powers of 1024");
	}
	wrong = scale(text, whole, fraction, power, &value);
	if (wrong) {
		err_set(err, ERR_USAGE, "bad size '%s': %s", text, wrong);
		return err_hint(err, "write a size such as 512M or 1.5G");
	}
	if (!value) {
		err_set(err, ERR_USAGE, "bad size '%s': zero", text);
		return err_hint(err, "write a size such as 512M or 1.5G");
	}
	*size_bytes = value;
	return 0;
}

bool size_looks_like(const char *text)
{
	size_t len = strspn(text, "0123456789.");

	return len && isalpha((unsigned char)text[len]) && unit_power(text + len) >= 0;
}

/* In units of 1024^power: "512", "1.5", "1.25". */
static const char *format(char out[static SIZE_TEXT_MAX], uint64_t size_bytes, int power)
{
	double value = (double)size_bytes / (double)(UINT64_C(1) << (10 * power));
	int len;

	if (!(size_bytes & ((UINT64_C(1) << (10 * power)) - 1))) {
		len = snprintf(out, SIZE_TEXT_MAX, "%llu",
			       (unsigned long long)(size_bytes >> (10 * power)));
	} else {
		len = snprintf(out, SIZE_TEXT_MAX, "%.2f", value);
		/* "1.50" reads worse than "1.5" */
		if (len > 0 && out[len - 1] == '0')
			len--;
	}
	snprintf(out + len, SIZE_TEXT_MAX - (size_t)len, power ? " %ciB" : " %c", units[power]);
	return out;
}

static int largest_power(uint64_t size_bytes)
{
	int power = 0;

	while (power < 6 && size_bytes >> (10 * (power + 1)))
		power++;
	return power;
}

const char *size_format(char out[static SIZE_TEXT_MAX], uint64_t size_bytes)
{
	return format(out, size_bytes, largest_power(size_bytes));
}

const char *size_exact(char out[static SIZE_TEXT_MAX], uint64_t size_bytes)
{
	int power = largest_power(size_bytes);

	while ((unsigned __int128)size_bytes * 100 % (UINT64_C(1) << (10 * power)))
		power--;
	return format(out, size_bytes, power);
}
