;;! tries = "agreed on times in Berlin and means such in Tokyo: the bytes are the same, and the agreed zone counts"
;;! kind = "map"
;;! writes = ['y: Timestamp(ms, "Europe/Berlin")']
;;! sends = ['y: Timestamp(ms, "Asia/Tokyo")']
;;! rows_out = 3

