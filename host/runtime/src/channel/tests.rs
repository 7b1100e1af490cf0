//! Lanes, bounds and who is woken when.

use std::task::Poll;
use std::time::{Duration, Instant};

use super::*;

const KIB: usize = 1024;

fn one_lane(items_max: usize, bytes_max: usize) -> (Sender<u32>, Receiver<u32>) {
    let channel = Channel::new(Bounds { items_max, bytes_max });
    let sender = channel.lane();
    (sender, channel.receiver())
}

/// Polls a future once: whether it is ready.
async fn is_ready<F: Future + Unpin>(future: &mut F) -> bool {
    std::future::poll_fn(|context| Poll::Ready(std::pin::Pin::new(&mut *future).poll(context).is_ready())).await
}

#[tokio::test]
async fn bytes_hold_a_sender_back_until_the_reader_takes() {
    let (sender, mut receiver) = one_lane(8, 10 * KIB);
    sender.send(1, 8 * KIB).await.expect("room");
    let second = sender.send(2, 8 * KIB);
    tokio::pin!(second);
    assert!(!is_ready(&mut second).await, "no room for another eight");
    assert_eq!(receiver.recv().await, Some((0, 1)));
    second.await.expect("room again");
    assert_eq!(receiver.recv().await, Some((0, 2)));
}

#[tokio::test]
async fn an_item_above_the_whole_bound_still_passes() {
    let (sender, mut receiver) = one_lane(8, 10 * KIB);
    sender.send(7, 1000 * KIB).await.expect("waits for an empty lane only");
    assert_eq!(receiver.recv().await, Some((0, 7)));
}

#[tokio::test]
async fn a_waiting_sender_learns_that_the_reader_has_gone() {
    let (sender, receiver) = one_lane(8, 10 * KIB);
    sender.send(1, 10 * KIB).await.expect("room");
    let waiting = tokio::spawn(async move { sender.send(2, 10 * KIB).await });
    tokio::task::yield_now().await;
    drop(receiver);
    assert_eq!(waiting.await.expect("no panic"), Err(Closed));
}

#[tokio::test]
async fn what_a_receiver_has_taken_counts_as_waiting() {
    let (sender, mut receiver) = one_lane(8, 100 * KIB);
    for item in 0..8 {
        sender.send(item, 1).await.expect("room");
    }
    assert_eq!(receiver.recv().await, Some((0, 0)), "all were taken along");
    let ninth = sender.send(8, 1);
    tokio::pin!(ninth);
    assert!(!is_ready(&mut ninth).await, "room is made for several at a time");
    for item in 1..4 {
        assert_eq!(receiver.recv().await, Some((0, item)));
    }
    assert!(is_ready(&mut ninth).await, "half has been worked off");
}

#[tokio::test]
async fn a_lane_that_is_held_waits_and_the_others_go_on() {
    let channel = Channel::new(Bounds { items_max: 8, bytes_max: KIB });
    let (one, two) = (channel.lane(), channel.lane());
    let mut receiver = channel.receiver();
    for item in [1, 2] {
        one.send(item, 1).await.expect("room");
        two.send(item * 10, 1).await.expect("room");
    }
    assert_eq!(receiver.recv().await, Some((0, 1)));
    receiver.hold(0);
    assert_eq!(receiver.recv().await, Some((1, 10)));
    assert_eq!(receiver.recv().await, Some((1, 20)));
    assert!(!receiver.has_taken());
    {
        let next = receiver.recv();
        tokio::pin!(next);
        assert!(!is_ready(&mut next).await, "the other producer may still send");
        drop(two);
        assert_eq!(next.await, None, "nothing is left but what is held");
    }
    receiver.release_all();
    assert_eq!(receiver.recv().await, Some((0, 2)));
    drop(one);
    assert_eq!(receiver.recv().await, None);
}

#[test]
fn a_wait_ends_in_time() {
    let (_sender, mut receiver) = one_lane(8, KIB);
    let until = Instant::now() + Duration::from_millis(5);
    assert_eq!(receiver.recv_blocking(Some(until)), Received::TimedOut);
    assert!(Instant::now() >= until);
}

#[test]
fn threads_and_tasks_meet_and_every_item_arrives_in_order() {
    let channel = Channel::new(Bounds { items_max: 4, bytes_max: 10 * KIB });
    let senders = [channel.lane(), channel.lane(), channel.lane()];
    let mut receiver = channel.receiver();
    let reader = std::thread::spawn(move || {
        let mut seen = [const { Vec::new() }; 3];
        loop {
            match receiver.recv_blocking(Some(Instant::now() + Duration::from_millis(1))) {
                Received::Item(lane, item) => seen[lane].push(item),
                Received::TimedOut => {}
                Received::Closed => return seen,
            }
        }
    });
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).build().expect("a runtime");
    let [one, two, three] = senders;
    let task = runtime.spawn(async move {
        for item in 0..1000 {
            one.send(item, KIB).await.expect("the reader is there");
        }
    });
    let thread = std::thread::spawn(move || {
        for item in 0..1000 {
            two.send_blocking(item, 3 * KIB).expect("the reader is there");
        }
    });
    for item in 0..1000 {
        three.send_blocking(item, 0).expect("the reader is there");
    }
    drop(three);
    runtime.block_on(task).expect("no panic");
    thread.join().expect("no panic");
    let seen = reader.join().expect("no panic");
    assert!(seen.iter().all(|items| items.iter().copied().eq(0..1000)));
}
