//! Hostile aggregates: each of their functions lies, traps, floods or gives up.

use volley_test_guests::SumGuest;

/// One hostile aggregate.
#[derive(Debug, Clone)]
pub struct AggregateCase {
    /// The function that does it.
    pub function: &'static str,
    /// What it tries, for people.
    pub tries: &'static str,
    /// It.
    pub guest: SumGuest,
    /// Words of the error that stops the job.
    pub says: &'static str,
    /// The reason that is counted.
    pub reason: &'static str,
}

impl AggregateCase {
    /// Whether rows are left out for it where the policy says so. State that was given up before is of no row any more, and who
    /// gives up stops the job.
    #[must_use]
    pub fn is_of_rows(&self) -> bool {
        ["update", "drain"].contains(&self.function) && !["fatal", "retries"].contains(&self.reason)
    }
}

const FOREVER: &str = "(loop $for_ever (br $for_ever))";

/// All of them, function by function.
#[must_use]
pub fn aggregates() -> Vec<AggregateCase> {
    let case = |function, tries, guest, says, reason| AggregateCase { function, tries, guest, says, reason };
    let good = SumGuest::default;
    let instead = |function: usize, body: &str| {
        let mut guest = good();
        guest.instead[function] = Some(body.to_owned());
        guest
    };
    // A list of far more bytes than there are, at the end of memory; and one of rejects that there are not.
    let far = "(i32.store (i32.const 512) (i32.const 0)) (i32.store (i32.const 520) (i32.const 0x7ffffff0)) \
               (i32.store (i32.const 524) (i32.const 0x7fffffff)) (return (i32.const 512))";
    let outside = &far.replace("0x7fffffff", "64");
    let nothing = "(i32.store (i32.const 512) (i32.const 0)) (i32.store (i32.const 520) (i32.const 1024)) \
                   (i32.store (i32.const 524) (i32.const 0)) (return (i32.const 512))";
    let beyond = "(i32.store (i32.const 512) (i32.const 0)) (i32.store (i32.const 520) (i32.const 528)) \
                  (i32.store (i32.const 524) (i32.const 1)) (i32.store (i32.const 528) (i32.const 9)) (i32.const 512)";
    let many = "(drop (memory.grow (i32.const 4096))) (unreachable)";
    vec![
        case(
            "update",
            "crashes when it is given rows",
            SumGuest { update: "unreachable".into(), ..good() },
            "trapped in `update`",
            "unreachable",
        ),
        case(
            "update",
            "never comes back from rows",
            SumGuest { update: FOREVER.into(), ..good() },
            "deadline",
            "deadline",
        ),
        case(
            "update",
            "takes all memory that there is when it is given rows",
            SumGuest { update: many.into(), ..good() },
            "memory limit",
            "memory",
        ),
        case("update", "refuses a row that was not given", instead(0, beyond), "rejects row", "bad_rejects"),
        case(
            "update",
            "asks for the same rows again, always",
            instead(0, &SumGuest::failure(1)),
            "asked 5 times",
            "retries",
        ),
        case("update", "gives up on rows", instead(0, &SumGuest::failure(2)), "stops the job: said so", "fatal"),
        case(
            "merge",
            "crashes when it is given state",
            SumGuest { merge: "unreachable".into(), ..good() },
            "trapped in `merge`",
            "unreachable",
        ),
        case(
            "merge",
            "never comes back from state",
            SumGuest { merge: FOREVER.into(), ..good() },
            "deadline",
            "deadline",
        ),
        case(
            "merge",
            "refuses state of its own",
            instead(1, &SumGuest::failure(0)),
            "`merge` refuses its own state",
            "fatal",
        ),
        case(
            "merge",
            "gives up on state of its own",
            instead(1, &SumGuest::failure(2)),
            "stops the job: said so",
            "fatal",
        ),
        case(
            "merge",
            "asks for the same state again, always",
            instead(1, &SumGuest::failure(1)),
            "asked 5 times",
            "retries",
        ),
        case(
            "drain",
            "crashes when it is to give up its state",
            SumGuest { drain: "unreachable".into(), ..good() },
            "trapped in `drain`",
            "unreachable",
        ),
        case(
            "drain",
            "never comes back with its state",
            SumGuest { drain: FOREVER.into(), ..good() },
            "deadline",
            "deadline",
        ),
        case(
            "drain",
            "gives state for more groups than there are",
            SumGuest { more_rows: 5, ..good() },
            "rows",
            "wrong_rows",
        ),
        case(
            "drain",
            "gives state for fewer groups than there are",
            SumGuest { more_rows: -1, ..good() },
            "rows for",
            "wrong_rows",
        ),
        case("drain", "gives state of 2 GiB", instead(2, far), "drain", "transfer_bytes"),
        case("drain", "gives state that lies outside its memory", instead(2, outside), "drain", "other_trap"),
        case("drain", "gives no bytes of state", instead(2, nothing), "drain", "bad_batch"),
        case(
            "drain",
            "refuses to give up its state",
            instead(2, &SumGuest::failure(0)),
            "`drain` refuses its own state",
            "fatal",
        ),
        case(
            "drain",
            "asks to be asked for its state again, always",
            instead(2, &SumGuest::failure(1)),
            "asked 5 times",
            "retries",
        ),
        case(
            "evaluate",
            "crashes when it is asked for results",
            SumGuest { evaluate: "unreachable".into(), ..good() },
            "trapped in `evaluate`",
            "unreachable",
        ),
        case(
            "evaluate",
            "never comes back with results",
            SumGuest { evaluate: FOREVER.into(), ..good() },
            "deadline",
            "deadline",
        ),
        case("evaluate", "gives results that lie outside its memory", instead(3, outside), "evaluate", "other_trap"),
        case("evaluate", "gives no bytes of results", instead(3, nothing), "evaluate", "bad_batch"),
        case(
            "evaluate",
            "gives up when it is asked for results",
            instead(3, &SumGuest::failure(2)),
            "stops the job: said so",
            "fatal",
        ),
        case(
            "evaluate",
            "asks to be asked for results again, always",
            instead(3, &SumGuest::failure(1)),
            "asked 5 times",
            "retries",
        ),
    ]
}
