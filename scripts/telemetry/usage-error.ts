/** An option or an argument has a value that is not usable. */
export class UsageError extends Error {}
