import type { FieldError } from "../../../domain/field-rules.ts";
import { quoted } from "../../../domain/cut-text.ts";

const form = 'name{label="value"} number';

/** The line is not one of the format.
 *  @param problem what is wrong, as a clause */
export function malformedLine(problem: string, value: string): FieldError {
  return {
    reason: "malformed_line",
    field: "",
    value,
    message: `The line is not of the form ${form}: ${problem}.`,
  };
}

/** The exposition ends in the line. */
export function cutLine(name: string): FieldError {
  return {
    reason: "malformed_line",
    field: name,
    value: "",
    message: `The exposition ends in this line of ${quoted(name)}, without a line end. It may have been cut off, so the number may be a part of a number; the last line of an exposition has a line end, too.`,
  };
}

/** A quote or brace opens in the line and does not close. */
export function unclosedLabels(): FieldError {
  return {
    reason: "malformed_quotes",
    field: "",
    value: "",
    message: `The labels do not end in the line: a quoted value ends with a quote, and the labels end with a brace, as in ${form}; inside a value, write \\" for a quote and \\n for a line end.`,
  };
}

/** A name with other characters than names have, or an empty one.
 *  @param kind `metric` or `label` */
export function invalidName(kind: "metric" | "label", name: string): FieldError {
  const others = kind === "metric" ? "letters, digits, _ and :" : "letters, digits and _";
  return {
    reason: "invalid_field",
    field: kind,
    value: name,
    message: `The name ${quoted(name)} of a ${kind} is not valid: without quotes, it has only ${others}, and no digit first; in quotes, it may have any character, but is not empty.`,
  };
}

/** The line has two values for one label. */
export function repeatedLabel(name: string): FieldError {
  return {
    reason: "invalid_field",
    field: name,
    value: name,
    message: `The label ${quoted(name)} occurs twice in the line; each label of a series has one value.`,
  };
}

/** A name or a value that is longer than the limit. */
export function tooLong(field: string, text: string, maxBytes: number): FieldError {
  return {
    reason: "invalid_field",
    field,
    value: text,
    message: `The text ${quoted(text)} is longer than ${maxBytes} bytes, the limit for ${field === "" ? "a name" : `the label ${quoted(field)}`}.`,
  };
}

/** The series has more labels than the limit. */
export function tooManyLabels(maxLabels: number): FieldError {
  return {
    reason: "record_too_large",
    field: "",
    value: "",
    message: `The line has more than ${maxLabels} labels, the limit for a series.`,
  };
}

/** The line has no line end within the limit. */
export function lineTooLarge(maxBytes: number): FieldError {
  return {
    reason: "record_too_large",
    field: "",
    value: "",
    message: `The line is longer than ${maxBytes} bytes, the limit for a line; check its line ends.`,
  };
}

/** The line contains a NUL byte or bytes that are not UTF-8. */
export function notText(reason: "nul_byte" | "invalid_utf8"): FieldError {
  const content = reason === "nul_byte" ? "a NUL byte" : "bytes that are not UTF-8";
  return {
    reason,
    field: "",
    value: "",
    message: `The line contains ${content} (shown as U+FFFD); an exposition is UTF-8 text without NUL bytes.`,
  };
}

/** The line has a name, but its value is missing or no number. */
export function invalidValue(metric: string, text: string): FieldError {
  return {
    reason: "invalid_value",
    field: metric,
    value: text,
    message: `The value ${quoted(text)} of ${quoted(metric)} is not a number such as 73.136, 1e9, +Inf or NaN.`,
  };
}

/** The value is a decimal number that no double is near to. */
export function valueTooLarge(metric: string, text: string): FieldError {
  return {
    reason: "value_out_of_range",
    field: metric,
    value: text,
    message: `The value ${quoted(text)} of ${quoted(metric)} is beyond the range of a double, which ends at 1.8e308; an infinite value is written as +Inf or -Inf.`,
  };
}
