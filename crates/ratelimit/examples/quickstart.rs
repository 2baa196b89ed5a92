//! One limit, a limit a user, and both at once.

use archstone_ratelimit::{Clock, Gcra, Keyed, Limiter, Monotonic, Part, Quota, check_all};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let global = Limiter::new("50_000/min".parse::<Quota>()?);
    let users: Keyed<String> = Keyed::new(Gcra::new("100/min burst 3".parse()?));

    let clock = Monotonic::new();
    for request in 1..=5 {
        // One reading of the clock serves both limits; neither is charged unless both pass.
        let (now, user) = (clock.now(), users.key("ann"));
        match check_all(now, &[Part::new(&user, 1), Part::new(&global, 1)]) {
            Ok(pass) => {
                let left = pass.tightest().map_or(0, |(_, grant)| grant.remaining());
                println!("request {request}: 200, {left} left");
            }
            Err(blocked) => {
                let limit = ["user", "global"][blocked.index];
                println!(
                    "request {request}: 429 by the {limit} limit, {:?}",
                    blocked.retry_after()
                );
            }
        }
    }
    Ok(())
}
