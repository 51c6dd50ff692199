// sold keeps how much was sold of each product, exactly once, in one JSON file.
//
// It takes the next position of each partition and ignores every other, and it writes what it made
// of the records together with the positions: a file is replaced as a whole or not at all.
package main

import (
	"context"
	"encoding/json"
	"fmt"
	"log"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

var started = time.Now()

type view struct {
	Positions map[int32]int64  `json:"positions"`
	Sold      map[string]int64 `json:"sold"`
}

type orderPlaced struct {
	Items []struct {
		ProductID string `json:"product_id"`
		Quantity  int64  `json:"quantity"`
	} `json:"items"`
}

func main() {
	path := os.Getenv("VIEW")
	kept, err := open(path)
	if err != nil {
		log.Fatal(err)
	}
	// No group: every start reads from the beginning, and the positions say what is new.
	client, err := kgo.NewClient(
		kgo.SeedBrokers(strings.Split(os.Getenv("KAFKA_BOOTSTRAP_SERVERS"), ",")...),
		kgo.ConsumeTopics("orders"),
		kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()),
	)
	if err != nil {
		log.Fatal(err)
	}
	defer client.Close()
	for {
		fetches := client.PollFetches(context.Background())
		for _, failed := range fetches.Errors() {
			log.Printf("%s: %v", failed.Topic, failed.Err)
		}
		for _, record := range fetches.Records() {
			if err := kept.take(record); err != nil {
				log.Fatal(err) // whoever starts it again lets it read from the beginning
			}
		}
		if err := kept.save(path); err != nil {
			log.Fatal(err)
		}
	}
}

func (v *view) take(record *kgo.Record) error {
	position, kind := int64(0), ""
	for _, header := range record.Headers {
		switch header.Key {
		case "ce_position":
			position, _ = strconv.ParseInt(string(header.Value), 10, 64)
		case "ce_type":
			kind = string(header.Value)
		}
	}
	last, known := v.Positions[record.Partition]
	if position == 0 || (known && position <= last) {
		return nil // somebody else's record, or a repeat
	}
	if known && position > last+1 {
		return v.ahead(record.Partition, position)
	}
	v.Positions[record.Partition] = position
	if kind != "order.placed" {
		return nil // types that are not needed, or not known yet
	}
	var event orderPlaced
	if err := json.Unmarshal(record.Value, &event); err != nil {
		return err
	}
	for _, item := range event.Items {
		v.Sold[item.ProductID] += item.Quantity
	}
	return nil
}

// ahead is for a record that is ignored: what comes before it is missing, or comes later. A process
// that has just read from the beginning waits for it; an older one makes place for a new one.
func (v *view) ahead(partition int32, position int64) error {
	if time.Since(started) < time.Minute {
		return nil
	}
	return fmt.Errorf("partition %d: position %d is ahead", partition, position)
}

func open(path string) (*view, error) {
	kept := &view{Positions: map[int32]int64{}, Sold: map[string]int64{}}
	stored, err := os.ReadFile(path)
	if os.IsNotExist(err) {
		return kept, nil
	}
	if err != nil {
		return nil, err
	}
	return kept, json.Unmarshal(stored, kept)
}

func (v *view) save(path string) error {
	stored, err := json.Marshal(v)
	if err != nil {
		return err
	}
	if err := os.WriteFile(path+".new", stored, 0o600); err != nil {
		return err
	}
	return os.Rename(path+".new", path)
}
