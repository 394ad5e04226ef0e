CREATE TABLE "archive_changes" (
	"hour" timestamp with time zone PRIMARY KEY NOT NULL
);
--> statement-breakpoint
CREATE TABLE "archive_files" (
	"hour" timestamp with time zone NOT NULL,
	"cluster_id" text NOT NULL,
	"path" text NOT NULL,
	"records" bigint NOT NULL,
	"bytes" bigint NOT NULL,
	"sha256" text NOT NULL,
	"written_at" timestamp with time zone NOT NULL,
	CONSTRAINT "archive_files_pkey" PRIMARY KEY("hour","cluster_id")
);
--> statement-breakpoint
CREATE TABLE "archive_hours" (
	"hour" timestamp with time zone PRIMARY KEY NOT NULL,
	"is_open" boolean NOT NULL,
	"archived_at" timestamp with time zone
);
--> statement-breakpoint
CREATE TABLE "archive_lead" (
	"row" integer PRIMARY KEY DEFAULT 1 NOT NULL,
	"holder" text NOT NULL,
	"place" text NOT NULL,
	"expires_at" timestamp with time zone NOT NULL,
	"waiting_hours" integer DEFAULT 0 NOT NULL,
	"waiting_from" timestamp with time zone,
	"failure" text DEFAULT '' NOT NULL,
	CONSTRAINT "archive_lead_one_row" CHECK ("archive_lead"."row" = 1)
);

--> statement-breakpoint
DO $$
DECLARE
  described record;
BEGIN
  FOR described IN SELECT * FROM (VALUES
    ('archive_changes', '', 'Hours of archive_hours for which records have come since their records were read for the archive'),
    ('archive_changes', 'hour', 'Its beginning (UTC)'),
    ('archive_files', '', 'The files of the archive: one for each hour and cluster'),
    ('archive_files', 'hour', 'The beginning of the hour of its records (UTC)'),
    ('archive_files', 'cluster_id', 'The cluster of its records'),
    ('archive_files', 'path', 'Its path below the place of the archive'),
    ('archive_files', 'records', 'The number of its records'),
    ('archive_files', 'bytes', 'Its size'),
    ('archive_files', 'sha256', 'The SHA-256 of its bytes, in hexadecimal digits'),
    ('archive_files', 'written_at', 'When it was written for the last time'),
    ('archive_hours', '', 'Hours of which a process has started to write the archive'),
    ('archive_hours', 'hour', 'Its beginning (UTC)'),
    ('archive_hours', 'is_open', 'True until all files of the hour are written'),
    ('archive_hours', 'archived_at', 'When they were all written for the last time'),
    ('archive_lead', '', 'Which process writes the archive, where, and what waits: one row'),
    ('archive_lead', 'row', 'Always 1'),
    ('archive_lead', 'holder', 'The process that leads'),
    ('archive_lead', 'place', 'The folder or the bucket of the archive'),
    ('archive_lead', 'expires_at', 'Until then, no other process leads'),
    ('archive_lead', 'waiting_hours', 'Hours that are over and not archived, or not as they are now'),
    ('archive_lead', 'waiting_from', 'The first of them'),
    ('archive_lead', 'failure', 'Why the last attempt failed; empty if it did not')
  ) AS texts(of_table, of_column, about) LOOP
    IF described.of_column = '' THEN
      EXECUTE format('COMMENT ON TABLE %I IS %L', described.of_table, described.about);
    ELSE
      EXECUTE format('COMMENT ON COLUMN %I.%I IS %L', described.of_table, described.of_column, described.about);
    END IF;
  END LOOP;
END
$$;
