import { Type } from "@sinclair/typebox";

/** Describes the environment variable of a setting. TypeBox checks the value. */
export interface EnvironmentNotes {
  readonly env: string;
  readonly description: string;
  /** `duration`: written as `2s`, `500ms`, `5m` or `1h`, converted to milliseconds. `roles`: `all` or a comma-separated list
   *  of roles. `list`: a comma-separated list. */
  readonly form?: "duration" | "roles" | "list";
  /** The form of the elements of a list. */
  readonly elements?: string;
  /** A text's pattern in words, with an example; every text that has a pattern has it. */
  readonly expects?: string;
  readonly unit?: string;
  /** The value is never shown, and `{env}_FILE` may name a file that contains the value. */
  readonly secret?: boolean;
}

/** A setting that is a duration. */
export const duration = (notes: EnvironmentNotes & { default: number; minimum?: number; maximum?: number }) =>
  Type.Integer({ minimum: 0, maximum: 86_400_000, ...notes, form: "duration" });

/** A setting that is a whole number. */
export const count = (notes: EnvironmentNotes & { default: number; minimum: number; maximum: number }) =>
  Type.Integer({ ...notes });

/** A whole number that is absent unless it is set: the default depends on other settings. */
export const optionalCount = (notes: EnvironmentNotes & { minimum: number; maximum: number }) =>
  Type.Optional(Type.Integer({ ...notes }));

/** A setting that is a share of something, from 0 (the default) to 1. */
export const share = (notes: EnvironmentNotes) => Type.Number({ minimum: 0, maximum: 1, ...notes, default: 0 });

/** A setting that is the age, in days, at which data are deleted; 0: never. */
export const retentionDays = (env: string, data: string) =>
  count({
    env,
    default: 0,
    minimum: 0,
    maximum: 36_500,
    unit: "days",
    description: `Age at which ${data} are deleted; 0: never`,
  });

/** A setting that is a share in percent, 5 unless it is set. */
export const percent = ({ env, description }: { readonly env: string; readonly description: string }) =>
  Type.Number({ env, default: 5, minimum: 0, maximum: 100, unit: "%", description });

/** A setting that is a name of something in the pipeline. */
export const namePattern = {
  pattern: "^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$",
  expects: "1 to 128 letters, digits, dots, underscores and dashes, with a letter or digit first, such as lab-1",
};

/** A setting that is the path of a file. */
export const path = (env: string, description: string) =>
  Type.Optional(Type.String({ env, minLength: 1, description }));
