/** The roles that a process can run; src/roles/ has a file for each. */
export const roleNames = ["streamer", "collector", "gateway", "coordinator"] as const;
export type RoleName = (typeof roleNames)[number];

/** The roles of ROLE=all: a whole pipeline in one process. It has nothing to coordinate. */
export const pipelineRoles = ["streamer", "collector", "gateway"] as const satisfies readonly RoleName[];
