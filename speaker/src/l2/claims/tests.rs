use super::*;

fn claim(address: u32, last: u8) -> Claim {
    Claim {
        address: IpAddr::from(std::net::Ipv4Addr::from(0x0a00_0000 + address)),
        by: MacAddr([2, 0, 0, 0, 0, last]),
    }
}

#[test]
fn each_station_is_told_of_once_in_ten_minutes_for_each_address() {
    let claims = Claims::default();
    let mut now = Instant(0);
    for second in 0..60 {
        now = Instant(0) + Duration::from_secs(10 * second);
        for (address, by) in [(0, 1), (0, 2), (1, 1)] {
            claims.defended(now, claim(address, by));
        }
    }
    assert_eq!(claims.take(), [claim(0, 1), claim(0, 2), claim(1, 1)]);
    claims.defended(now + AGAIN, claim(0, 1));
    assert_eq!(claims.take(), [claim(0, 1)]);
}

#[test]
fn of_very_many_the_first_are_told() {
    let claims = Claims::default();
    let room = u32::try_from(REMEMBERED).unwrap();
    let taken = (0..=room).filter(|address| claims.defended(Instant(0), claim(*address, 1)));
    assert_eq!(taken.count(), REMEMBERED);
    assert_eq!(claims.take().len(), REMEMBERED);
}
