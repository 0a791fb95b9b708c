use super::*;

#[test]
fn groups_of_an_address() {
    let address: Ipv6Addr = "fd00:5::1:2a:f3c4".parse().unwrap();
    let group = solicited_node(address);
    assert_eq!(group, "ff02::1:ff2a:f3c4".parse::<Ipv6Addr>().unwrap());
    assert_eq!(multicast_mac(group).to_string(), "33:33:ff:2a:f3:c4");
    assert_eq!(multicast_mac(ALL_NODES).to_string(), "33:33:00:00:00:01");
}
