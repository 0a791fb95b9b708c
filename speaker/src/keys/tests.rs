use super::*;
use std::cell::Cell;

#[test]
fn what_is_read_while_the_secret_is_replaced_is_read_again() {
    let version = Cell::new(1);
    let reads = Cell::new(0);
    let read = || {
        reads.set(reads.get() + 1);
        let first = version.get();
        if reads.get() == 1 {
            version.set(2);
        }
        Ok((first, version.get()))
    };
    assert_eq!(unchanged(|| version.get(), read).unwrap(), (2, 2));
    assert_eq!(reads.get(), 2);
}

#[test]
fn a_mount_that_is_not_filled_yet_has_no_keys() {
    let folder = std::env::temp_dir().join(format!("cortenlb-keys-{}", std::process::id()));
    assert_eq!(mounted(Some(&folder)).unwrap(), [None, None]);
    std::fs::create_dir_all(&folder).unwrap();
    std::fs::write(folder.join(KEY), "key").unwrap();
    assert_eq!(mounted(Some(&folder)).unwrap(), [Some(b"key".to_vec()), None]);
    std::fs::remove_dir_all(&folder).unwrap();
}
