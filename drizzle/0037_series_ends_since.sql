ALTER TABLE "series_ends" ADD COLUMN "since" timestamp with time zone DEFAULT 'infinity' NOT NULL;
--> statement-breakpoint
COMMENT ON COLUMN "series_ends"."since" IS 'When the source had values of them for the last time: a series with a later value of another source goes on. Infinity: not known, so each has ended';
--> statement-breakpoint
COMMENT ON TABLE "series_ends" IS 'When series of a device ended, as scrapes showed or senders told: what they measure has no value from then until the next record that has it';
