import { Type } from "@sinclair/typebox";

/** How a setting is written in the environment. TypeBox checks its value. */
export interface EnvironmentNotes {
  readonly env: string;
  readonly description: string;
  /** `duration`: written as `2s`, `500ms`, `5m` or `1h`, held in milliseconds. `roles`: `all` or a comma list of roles.
   *  `list`: a comma list. */
  readonly form?: "duration" | "roles" | "list";
  /** The form of the elements of a comma list. */
  readonly elements?: string;
  readonly unit?: string;
  /** The value is never shown, and `{env}_FILE` may name a file that holds it. */
  readonly secret?: boolean;
}

/** A setting that is a duration. */
export const duration = (notes: EnvironmentNotes & { default: number; minimum?: number; maximum?: number }) =>
  Type.Integer({ minimum: 0, maximum: 86_400_000, ...notes, form: "duration" });

/** A setting that is a whole number. */
export const count = (notes: EnvironmentNotes & { default: number; minimum: number; maximum: number }) =>
  Type.Integer({ ...notes });

/** A setting that is an age in days; 0: nothing is deleted. */
export const retentionDays = (env: string, data: string) =>
  count({
    env,
    default: 0,
    minimum: 0,
    maximum: 36_500,
    unit: "days",
    description: `Age at which ${data} are deleted; 0: never`,
  });

/** A setting that is the path of a file. */
export const path = (env: string, description: string) =>
  Type.Optional(Type.String({ env, minLength: 1, description }));
